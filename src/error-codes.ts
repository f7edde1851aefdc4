/**
 * Every code that Zapp can report.
 *
 * A code is never reused for another meaning. `message` and `fix` are templates: `{name}` is replaced by the
 * finding's argument of that name, as errors.ts does.
 * `status` is what a server answers when the trouble surfaces in a request or an upload.
 * Both loaders share this table: `npm run generate` writes it to schema/errors.json; schema/ERRORS.md has a row for each.
 */
export interface ErrorRow {
  readonly title: string
  /** `<what> must be <rule>, got <value>`; the place in front of it is added by whoever prints it. */
  readonly message: string
  readonly fix: string
  readonly status: number
}

const REPACK = 'Run: zapp repack {file}'

// biome-ignore format: a table, one code a line
export const ERRORS = {
  // ── Layout, passes 1 to 5: schema/FORMAT.md §Layout ───────────────────────────────────────────────────────────
  TOO_SHORT: { title: 'Too short to be a zip', message: 'the file must hold at least 22 bytes, got {size}', fix: 'Copy the file again: it is empty or was cut off.', status: 422 },
  EOCD_NOT_AT_END: { title: 'No end record in the last 22 bytes', message: 'the file must end with the zip end record', fix: 'Copy the file again: it was cut off, has bytes appended, or is not a zip.', status: 422 },
  EOCD_COMMENT: { title: 'Archive comment', message: 'the archive comment must be empty, got {length} bytes', fix: REPACK, status: 422 },
  MULTI_DISK: { title: 'Multi-disk archive', message: '{field} must be 0, got {got}', fix: REPACK, status: 422 },
  COUNT_MISMATCH: { title: 'Entry counts differ', message: 'the entry count on this disk must equal the total, {total}, got {got}', fix: REPACK, status: 422 },
  TOO_MANY: { title: 'Too many entries', message: 'an archive must hold at most {limit} entries, got {got} or more', fix: 'Leave files out with .zappignore.', status: 422 },
  ZIP64: { title: 'Zip64 archive', message: 'zip64 structures must be absent: version 1 of the format holds at most 65,534 entries and less than 4 GiB', fix: 'Leave files out, or keep large data outside the archive.', status: 422 },
  CD_NOT_ADJACENT: { title: 'Directory not where the end record says', message: 'directory offset + size must equal {expected}, the offset of the end record, got {got}', fix: REPACK, status: 422 },
  CD_SIZE: { title: 'Directory does not hold the counted entries', message: 'the directory must be filled exactly by {count} records, {detail}', fix: REPACK, status: 422 },
  LAYOUT: { title: 'Entries are not back to back', message: '{what} must be at offset {expected}, got {got}', fix: REPACK, status: 422 },
  LFH_MISMATCH: { title: 'Local header differs from the directory', message: 'the local {field} must equal the directory’s {expected}, got {got}', fix: REPACK, status: 422 },
  EXTRA: { title: 'Extra field', message: 'extra fields must be empty, got {length} bytes in the {where} header', fix: REPACK, status: 422 },
  FLAGS: { title: 'Unknown general purpose flags', message: 'flags must be a subset of 0x0806, got {got}', fix: REPACK, status: 422 },
  ENCRYPTED: { title: 'Encrypted entry', message: 'entries must not be encrypted, got flags {got}', fix: 'Make the archive without a password, then run: zapp repack {file}', status: 422 },
  DATA_DESCRIPTOR: { title: 'Data descriptor', message: 'sizes must be in the local header, got a data descriptor', fix: REPACK, status: 422 },
  METHOD: { title: 'Compression method', message: 'the compression method must be 0 (stored) or 8 (deflate), got {got}', fix: REPACK, status: 422 },
  VERSION: { title: 'Version needed', message: 'the version needed must be at most 20, got {got}', fix: REPACK, status: 422 },
  ENTRY_COMMENT: { title: 'Entry comment', message: 'entry comments must be empty, got {length} bytes', fix: REPACK, status: 422 },

  // ── Names, pass 6, rules A and B ──────────────────────────────────────────────────────────────────────────────
  NAME_EMPTY: { title: 'Empty name', message: 'a name must not be empty', fix: 'Rename the file.', status: 422 },
  NAME_ENCODING: { title: 'Name is not marked as UTF-8', message: 'a name beyond ASCII must have flag bit 11 set', fix: REPACK, status: 422 },
  NAME_NOT_UTF8: { title: 'Name is not UTF-8', message: 'a name must be valid UTF-8, got {name}', fix: 'Rename the file in UTF-8.', status: 422 },
  NAME_CONTROL: { title: 'Control character in a name', message: 'a name must hold no control character, got {name}', fix: 'Rename the file, or leave it out with .zappignore{hint}.', status: 422 },
  NAME_BACKSLASH: { title: 'Backslash in a name', message: 'a name must use "/" between segments, got {name}', fix: 'Rename the file, or leave it out with .zappignore{hint}.', status: 422 },
  NAME_ABSOLUTE: { title: 'Absolute name', message: 'a name must be relative, got {name}', fix: 'Rename the file.', status: 422 },
  NAME_EMPTY_SEGMENT: { title: 'Empty segment in a name', message: 'a name must hold no "//", got {name}', fix: 'Rename the file.', status: 422 },
  NAME_DOT_SEGMENT: { title: 'Dot segment in a name', message: 'a name must hold no "." or ".." segment, got {name}', fix: 'Rename the file.', status: 422 },
  NAME_RESERVED_CHAR: { title: 'Character that Windows reserves', message: 'a name must hold none of < > : " | ? *, got {name}', fix: 'Rename the file, or leave it out with .zappignore{hint}.', status: 422 },
  NAME_TRAILING_DOT_SPACE: { title: 'Segment ends in a dot or a space', message: 'a segment must not end in "." or " ", got {name}', fix: 'Rename the file, or leave it out with .zappignore{hint}.', status: 422 },
  NAME_DEVICE: { title: 'Device name of Windows', message: 'a segment must not be a device name, got {name}', fix: 'Rename the file, or leave it out with .zappignore{hint}.', status: 422 },
  NAME_INVISIBLE: { title: 'Invisible character in a name', message: 'a name must hold no invisible or direction character, got {name}', fix: 'Rename the file, or leave it out with .zappignore{hint}.', status: 422 },
  NAME_UNASSIGNED: { title: 'Unassigned code point in a name', message: 'a name must hold only code points assigned in Unicode 13, got {name}', fix: 'Rename the file, or leave it out with .zappignore{hint}.', status: 422 },
  NAME_NOT_NFC: { title: 'Name is not in normal form C', message: 'a name must be in Unicode normal form C, got {name}', fix: 'Rename the file, or leave it out with .zappignore{hint}.', status: 422 },
  NAME_TOO_LONG: { title: 'Name too long', message: 'a segment must be at most 255 bytes and a name at most 1,024 bytes, got {length}', fix: 'Shorten the path, or leave it out with .zappignore{hint}.', status: 422 },
  NAME_TOO_DEEP: { title: 'Name too deep', message: 'a name must have at most 64 segments, got {depth}', fix: 'Move the file up, or leave it out with .zappignore{hint}.', status: 422 },
  DUP: { title: 'Duplicate name', message: 'each name must occur once, got {name} again', fix: 'Make the archive again with each file once.', status: 422 },
  CASE_COLLISION: { title: 'Names differ only by case', message: 'names must differ by more than case, got {name} and {other}', fix: 'Rename one of the two (on macOS and Windows they are one file), or leave one out with .zappignore{hint}.', status: 422 },
  FILE_DIR_CONFLICT: { title: 'A file and a folder of one name', message: 'a name must be a file or a folder, got both for {name}', fix: 'Rename one of the two.', status: 422 },

  // ── Types, pass 6, rules C ────────────────────────────────────────────────────────────────────────────────────
  TYPE: { title: 'Not a plain file or folder', message: 'an entry must be a regular file or a folder, got {got}', fix: 'Replace it by the file itself: the format has no links and no devices.', status: 422 },
  SETID: { title: 'setuid, setgid or sticky bit', message: 'mode bits must be 0644 or 0755, got {got}', fix: REPACK, status: 422 },
  DIR_DATA: { title: 'Folder with data', message: 'a folder entry must be empty and stored, got {got} bytes', fix: REPACK, status: 422 },

  // ── Sizes and quotas, pass 7 ──────────────────────────────────────────────────────────────────────────────────
  SIZE: { title: 'Size does not match', message: 'the size must be {expected}, got {got}', fix: 'Pack the app again: the file is damaged.', status: 422 },
  SIZE_IMPOSSIBLE: { title: 'Size that deflate cannot reach', message: '{compressed} compressed bytes can give at most {limit}, got a claim of {got}', fix: 'Pack the app again: the file is damaged.', status: 422 },
  FILE: { title: 'File over the limit', message: 'a file must be at most {limit} bytes, got {got}', fix: 'Keep large data outside the archive, or raise the limit.', status: 413 },
  RATIO: { title: 'Compression ratio over the limit', message: 'a file over 10 MiB must not expand more than {limit} times, got {got}', fix: 'Raise the limit only if you know the file.', status: 413 },
  TOTAL: { title: 'Archive over the limit', message: 'all files together must be at most {limit} bytes, got {got}', fix: 'Leave files out with .zappignore, or raise the limit.', status: 413 },

  // ── Content, pass 8 ───────────────────────────────────────────────────────────────────────────────────────────
  INFLATE: { title: 'Broken deflate stream', message: 'the data must be a deflate stream, got {got}', fix: 'Copy or pack the app again: the file is damaged.', status: 422 },
  DEFLATE_TRAILING: { title: 'Bytes after the deflate stream', message: 'the deflate stream must end after {expected} bytes, it ended after {got}', fix: REPACK, status: 422 },
  CRC: { title: 'Checksum does not match', message: 'the CRC-32 must be {expected}, got {got}', fix: 'Copy or pack the app again: the file is damaged.', status: 422 },
  INDEX_MISMATCH: { title: 'contents.json does not match', message: '{what} must be {expected}, got {got}', fix: 'Pack the app again: ZAPP-INF/contents.json must list every file as it is.', status: 422 },

  // ── What every archive holds ──────────────────────────────────────────────────────────────────────────────────
  MIMETYPE: { title: 'Not marked as a .zapp', message: 'the first entry must be "mimetype", stored, holding exactly application/vnd.zapp+zip, got {got}', fix: REPACK, status: 422 },
  RESERVED_NAME: { title: 'Reserved name', message: 'only names that the format defines may stand in ZAPP-INF/, got {name}', fix: 'Rename the folder.', status: 422 },
  SIG_POSITION: { title: 'Signature is not the last entry', message: 'ZAPP-INF/signature.dsse.json must be the last entry, got position {got}', fix: 'Sign the archive again.', status: 422 },

  // ── What a packer should do: warnings of validate ─────────────────────────────────────────────────────────────
  ENTRY_ORDER: { title: 'Entries out of order', message: 'entries should be sorted by the UTF-8 bytes of their names, got {name} after {other}', fix: REPACK, status: 422 },
  FOLDER_MISSING: { title: 'Folder without an entry', message: 'each folder should have an entry, got none for {name}', fix: REPACK, status: 422 },
  METADATA_MISSING: { title: 'No SBOM or build record', message: '{name} should be present', fix: 'Pack the app with: zapp pack', status: 422 },

  // ── The manifest ──────────────────────────────────────────────────────────────────────────────────────────────
  MANIFEST_MISSING: { title: 'No manifest', message: 'the second entry must be zapp.json, got {got}', fix: 'Add a zapp.json to the project and run: zapp pack', status: 422 },
  MANIFEST_TOO_LARGE: { title: 'Manifest too large', message: 'zapp.json must be at most {limit} bytes, got {got}', fix: 'Shorten it.', status: 422 },
  MANIFEST_ENCODING: { title: 'Manifest is not UTF-8', message: 'zapp.json must be UTF-8 without a byte order mark, got {got}', fix: 'Save it as UTF-8 without BOM.', status: 422 },
  MANIFEST_SYNTAX: { title: 'Manifest is not JSON', message: '{expected} must come here, got {got}', fix: 'Correct the JSON at this place.', status: 422 },
  MANIFEST_DUP_KEY: { title: 'Key given twice', message: 'a key must occur once in its object, got {key} again', fix: 'Remove one of the two.', status: 422 },
  MANIFEST_DEPTH: { title: 'Manifest too deep', message: 'values must be nested at most {limit} deep', fix: 'Flatten it.', status: 422 },
  MANIFEST_NUMBER: { title: 'Number that languages read differently', message: 'a number must be an integer written as digits, within ±(2^53-1), got {got}', fix: 'Write it as a plain integer.', status: 422 },
  MANIFEST_KEY: { title: 'Forbidden key', message: 'a key must not be {key}', fix: 'Rename the key.', status: 422 },
  MANIFEST_UNKNOWN_KEY: { title: 'Unknown key', message: '{key} is not a key here{hint}', fix: 'Use a known key, or one that begins with "x-".', status: 422 },
  MANIFEST_REQUIRED: { title: 'Missing key', message: '{key} must be present', fix: 'Add it.', status: 422 },
  MANIFEST_TYPE: { title: 'Wrong type', message: '{key} must be {expected}, got {got}', fix: 'Change the value.', status: 422 },
  MANIFEST_VALUE: { title: 'Value not allowed', message: '{key} must be {expected}, got {got}{hint}', fix: 'Change the value.', status: 422 },
  MANIFEST_RULE: { title: 'Keys that contradict each other', message: '{expected}, got {got}{hint} (rule {rule})', fix: 'Change it: schema/FORMAT.md, rule {rule}.', status: 422 },
  MANIFEST_STATIC_FILES: { title: 'Too many files in static routes', message: 'static routes must reach at most {limit} files, each counted once for each route, got {got}', fix: 'Let fewer routes name the same folders.', status: 422 },
  MANIFEST_PATH: { title: 'Path that is not in the archive', message: '{key} must name an entry of the archive exactly, got {got}{hint}', fix: 'Correct the path: case and slashes count.', status: 422 },

  // ── Needs: checked before anything is unpacked, all reported at once ──────────────────────────────────────────
  NEED_RUNTIME: { title: 'Runtime version', message: '{runtime} must be {expected}, got {got}', fix: 'Install a matching version.', status: 503 },
  NEED_COMMAND: { title: 'Program not found', message: 'the program {command} must be installed', fix: 'Install it. A name without a path is looked for on PATH.', status: 503 },
  NEED_CONFIG: { title: 'Configuration missing', message: 'config {name} must be set{about}', fix: 'Give it, for example: --config {name}=VALUE', status: 503 },
  NEED_NATIVE: { title: 'Native code for another platform', message: '{package} was built for {expected}, this is {got}', fix: 'Pack the app on this platform, for Python with this Python (or name both: --platform, --python).', status: 503 },
  NEED_PROVIDED: { title: 'Package that the container must supply', message: '{package} must be supplied by the container', fix: 'Install it beside the container.', status: 503 },
  CONFIG_INVALID: { title: 'Configuration value', message: 'config {name} must be {expected}, got {got}', fix: 'Change the value.', status: 503 },
  CONFIG_UNKNOWN: { title: 'Unknown configuration', message: 'config {name} is not declared by the app{hint}', fix: 'Declare it in zapp.json, or leave it out.', status: 503 },
  CONFIG_CONFLICT: { title: 'Two apps want different values', message: 'the environment variable {name} is already set to another value', fix: 'Run the apps in separate processes.', status: 503 },
  MOUNT_BASE: { title: 'Built for another mount', message: 'the app was built for {expected}, it cannot be mounted at {got}', fix: 'Mount it there, or build it for the other path and set "base".', status: 409 },
  MOUNT_PATH: { title: 'Mount path', message: 'a mount must be "" or begin with "/", not end with one, and be of letters, digits and -._~!$&()*+,;=:@\', got {got}', fix: 'Write it like "/shop".', status: 400 },
  ENTRY_RUNTIME: { title: 'Entry of another language', message: 'entry {entry} is of type {type}, which this loader cannot run', fix: 'Serve it with: zapp serve {file}, or load it in that language.', status: 503 },
  ENTRY_ASGI: { title: 'ASGI entry under WSGI', message: 'entry {entry} is of type asgi, which a WSGI server cannot call', fix: 'Load it with zapp.load_asgi, in a server like uvicorn or hypercorn.', status: 503 },
  UNSUPPORTED_KEY: { title: 'Not supported yet', message: '{key} is valid, but {who} cannot honour it, so the app is refused rather than run without it', fix: 'Remove it, or use a host that supports it.', status: 503 },

  // ── Starting an entry ─────────────────────────────────────────────────────────────────────────────────────────
  ENTRY_LOAD: { title: 'Entry failed to load', message: 'loading {module} failed: {reason}', fix: 'See the log of the app.', status: 503 },
  ENTRY_RUNNER: { title: 'No server to run the entry', message: '{entry} needs one of {expected}, got none in the archive and none for {python}', fix: 'Add it to the requirements of the project and pack it again, or: pip install {command}', status: 503 },
  ENTRY_EXPORT: { title: 'No listener exported', message: '{module} must export {expected}, got {got}', fix: 'Export the app: module.exports = app, or export default app.', status: 503 },
  ENTRY_START: { title: 'Program failed to start', message: '{program} must accept connections on PORT, got: {reason}', fix: 'See the log of the app.', status: 503 },
  ENTRY_ANSWER: { title: 'Program did not answer', message: 'the program of entry {entry} must answer, got: {reason}', fix: 'See the log of the app.', status: 502 },
  ENTRY_TIMEOUT: { title: 'Request took too long', message: 'entry {entry} must answer within {timeout} ms', fix: 'Raise the entry’s "timeout", or the host’s "limits.requestTime", or see the log of the app.', status: 504 },
  ENTRY_BUSY: { title: 'Too many requests wait', message: 'at most {limit} requests may wait for entry {entry}, and none for too long', fix: 'Raise the entry’s "concurrency", or "workers", or make the app faster.', status: 503 },
  SERVER_EXPOSED: { title: 'Program listens for everyone', message: 'the program of entry {entry} must listen on {expected} only, got {got}', fix: 'Let it listen on the address in the variable HOST.', status: 503 },
  HEALTH_FAILED: { title: 'Health check failed', message: '{path} must answer 2xx within {timeout} ms, got {got}', fix: 'See the log of the app.', status: 503 },
  CACHE_UNTRUSTED: { title: 'Cache folder not trusted', message: '{dir} must be owned by this user, of mode 0700 and reached without a link, got {got}', fix: 'Correct it, or name another folder with --cache or ZAPP_CACHE.', status: 500 },
  CACHE_NONE: { title: 'No cache folder', message: 'no folder can hold the cache: {reason}', fix: 'Name one: the option cache, --cache or ZAPP_CACHE.', status: 500 },
  CACHE_READ_ONLY: { title: 'Cache is read-only and not filled', message: 'the cache {dir} must hold this app already, or be writable', fix: 'Fill it once from a process that may write.', status: 500 },

  // ── Packing ───────────────────────────────────────────────────────────────────────────────────────────────────
  PACK_NO_MANIFEST: { title: 'No manifest and no clear project', message: 'the project must have a zapp.json, {reason}', fix: 'Save the suggestion as zapp.json and correct it.', status: 422 },
  SECRET: { title: 'Looks like a secret', message: 'an archive must hold no secrets, got {what}', fix: 'Leave it out with .zappignore, or allow it: --allow-secret {name}', status: 422 },
  SECRET_KEPT: { title: 'Secret in a zip', message: 'an archive should hold no secrets, got {what} in {name}', fix: 'Leave it out of the zip, and take it for known to whoever had the file.', status: 422 },
  ALLOW_UNUSED: { title: 'Allowed file that is not packed', message: 'a file that may look like a secret must be one that is packed, got {name}{hint}', fix: '{fix}', status: 422 },
  LINK_ESCAPES: { title: 'Link leads out of the project', message: 'a link must stay inside the project, got one to {target}', fix: 'Replace it by the file itself, or leave it out with .zappignore.', status: 422 },
  LINK_CYCLE: { title: 'Link leads back to its own folder', message: 'links must make no cycle, got one to {target}', fix: 'Leave it out with .zappignore.', status: 422 },
  LINK_BROKEN: { title: 'Link leads nowhere', message: 'a link must lead to a file, got one to {target}', fix: 'Remove it, or leave it out with .zappignore.', status: 422 },
  DEP_MISSING: { title: 'Dependency not installed', message: '{package} needs {dependency}, which is not there', fix: 'Run your package manager’s install first; in a Python project name it in the requirements, or write the lock file anew.', status: 422 },
  DEP_RELAY: { title: 'Dependency would resolve differently', message: '{package} must get {expected} for {dependency}, in the archive it would get {got}', fix: 'This is a fault of Zapp: report it with your lock file.', status: 500 },
  DEP_SOURCE: { title: 'Dependency that is not published', message: 'a dependency must be a published package, got {requirement}', fix: 'Make a wheel of it (pip wheel {requirement} --no-deps -w wheels), and name the package, with --find-links wheels in requirements.txt.', status: 422 },
  DEP_LOCK: { title: 'Dependencies that cannot be read', message: 'the dependencies must be readable, {reason}', fix: 'Write them anew with: {todo}', status: 422 },
  DEP_FETCH: { title: 'Dependencies could not be fetched', message: 'pip must be able to fetch the dependencies, got: {reason}', fix: 'Correct the cause, and see that pip download -r works.', status: 502 },
  WHEEL_MISSING: { title: 'No wheel', message: '{package} must be there as a wheel for {target}', fix: 'Choose a version that has one, pack for another target (--python, --platform), or make one (pip wheel {package} -w wheels) and put --find-links wheels into requirements.txt.', status: 422 },
  WHEEL_INVALID: { title: 'Broken wheel', message: 'the wheel must be as its format says: {reason}', fix: 'Choose another version of the package, and tell its authors.', status: 422 },
  WHEEL_CONFLICT: { title: 'Two packages, one file', message: 'a file must belong to one package, got different ones of {package} and {other}', fix: 'Leave one of the two packages out.', status: 422 },
  COLLECT_STATIC: { title: 'collectstatic failed', message: 'manage.py collectstatic must put files into the project, got: {reason}', fix: 'Run it yourself: python manage.py collectstatic --noinput', status: 422 },
  PACK_EXECUTABLE: { title: 'Nothing that could start', message: 'an executable archive must have a __main__.py, which apps of type wsgi and asgi get', fix: 'Leave --executable out: other apps run with zapp serve.', status: 422 },
  PACK_PYTHON: { title: 'No Python that could fetch packages', message: 'a Python with pip must be on this machine to fetch the dependencies, got {got}', fix: 'Install Python 3.9 or newer with pip.', status: 503 },
  PACK_CHANGED: { title: 'File changed while packing', message: 'a file must not change while it is packed', fix: 'Stop what writes to it and pack again.', status: 409 },

  EMIT_TARGET: { title: 'App that the target cannot run', message: 'entry {entry} of type {type} must be run by {expected}, got {target}', fix: 'Run: zapp emit {command} {file}', status: 422 },
  EMIT_VALUE: { title: 'Value that the configuration cannot hold', message: 'a value must hold no {rule} in a configuration of {where}, got {got}', fix: 'Choose another one.', status: 422 },
  SIG_DROPPED: { title: 'Signature left out', message: 'the signature was left out, because it is of other bytes', fix: 'Sign the new archive.', status: 422 },
  ZIP_UNREADABLE: { title: 'Zip that cannot be read', message: 'the zip must be readable, got: {reason}', fix: 'Make the zip again, or pack the project with: zapp pack', status: 422 },

  // ── Files and the command line ────────────────────────────────────────────────────────────────────────────────
  NOT_FOUND: { title: 'No such file', message: '{file} must exist', fix: 'Check the path.', status: 404 },
  NOT_A_FILE: { title: 'Not a file', message: '{file} must be a file', fix: 'Name the archive itself.', status: 400 },
  NOT_A_FOLDER: { title: 'Not a folder', message: '{file} must be a folder', fix: 'Name the project’s folder.', status: 400 },
  IO: { title: 'File system error', message: '{operation} failed: {reason}', fix: 'Check permissions and free space.', status: 500 },
  TARGET_EXISTS: { title: 'Target exists', message: '{target} must not exist yet', fix: 'Remove it, or name another place with -d (unpack) or -o (emit).', status: 409 },
  TARGET_LINK: { title: 'Target is reached through a link', message: 'no folder that leads to {target} may be a link', fix: 'Name the real folder.', status: 409 },
  URL_UNREACHABLE: { title: 'URL cannot be reached', message: 'the server must answer, got: {reason}', fix: 'Check the address and the network.', status: 502 },
  URL_STATUS: { title: 'URL answers with an error', message: 'the server must answer with the file, got status {got}', fix: 'Check the address, and whether it asks for a login.', status: 502 },
  URL_REDIRECT: { title: 'Redirect not followed', message: 'a redirect must lead to http or https, never from https to http, and at most {limit} in a row, got {got}', fix: 'Name the address of the file itself.', status: 502 },
  URL_RANGES: { title: 'Server without byte ranges', message: 'the server must answer byte ranges of the file as it is, got {what}', fix: 'Download the file and inspect the copy.', status: 502 },
  URL_CHANGED: { title: 'File changed while it was read', message: 'the file behind the URL must not change while it is read, got another {what}', fix: 'Run the command again.', status: 409 },
  PORT_IN_USE: { title: 'Address in use', message: '{address} must be free', fix: 'Choose another with --port.', status: 409 },
  TLS_CERTIFICATE: { title: 'Not a certificate', message: 'the file must hold a certificate in PEM, its chain after it, got: {reason}', fix: 'Name the file that has both: fullchain.pem of certbot.', status: 422 },
  TLS_KEY: { title: 'Not a private key', message: 'the file must hold a private key in PEM without a passphrase, got: {reason}', fix: 'Name the key of the certificate: privkey.pem of certbot. A passphrase is taken off by: openssl pkey -in KEY -out NEW', status: 422 },
  TLS_MISMATCH: { title: 'Key of another certificate', message: 'the key must be that of the certificate in {cert}, got another one', fix: 'Name two files that were made together.', status: 422 },
  TLS_EXPIRED: { title: 'Certificate is not valid now', message: 'the certificate must be valid now, it is from {from} to {to}', fix: 'Renew it: clients refuse it. The host notices when the file is replaced.', status: 422 },
  TLS_KEY_EXPOSED: { title: 'Key that everybody can read', message: 'the key must not be readable for every user of this machine, got mode {mode}', fix: 'Run: chmod o-rwx {file}', status: 422 },
  APP_DIED: { title: 'App keeps dying', message: '{name} must keep running, it ended {times} times within {seconds} s: {reason}', fix: 'See the log of the app.', status: 503 },
  MEMORY_EXCEEDED: { title: 'Too much memory', message: 'process {pid} of {name} must hold at most {limit} MiB, got {got} MiB: {fate}', fix: 'Raise the host’s "limits.memory", or find what the app keeps.', status: 503 },
  PROCESS_HANGS: { title: 'Process does not respond', message: 'process {pid} of {name} must answer the host within {seconds} s, but says nothing: it is killed', fix: 'Look in the app for a loop that does not end, work that takes as long at a stretch, or threads that all wait; or raise the host’s "limits.requestTime".', status: 504 },
  HOST_RUNNING: { title: 'Another host is running', message: 'the state folder {dir} must be free, process {pid} has it', fix: 'End that host, or name another folder with --state.', status: 409 },
  STATE_UNTRUSTED: { title: 'State folder not trusted', message: '{dir} must be owned by this user, of mode 0700 and reached without a link, got {got}', fix: 'Correct it, or name another folder with --state or ZAPP_STATE.', status: 500 },
  STATE_NONE: { title: 'No state folder', message: 'no folder can hold the state of the host: {reason}', fix: 'Name one that this user can make: --state or ZAPP_STATE.', status: 500 },
  STATE_UNREADABLE: { title: 'State of the host', message: '{file} must be readable, got: {reason}', fix: 'Let the host read it, restore it from a backup, or move it away: the apps of the watched folders are deployed anew.', status: 500 },
  VALIDATION_ENDED: { title: 'Archive could not be checked', message: 'the process that checks {file} must end with a verdict: {reason}', fix: 'Run zapp validate on it; if that ends, copy it there again.', status: 503 },
  MIGRATE_FAILED: { title: 'Migration failed', message: 'lifecycle.migrate must end with exit code 0, got: {reason}', fix: 'See the log of the app. The version before it goes on serving.', status: 503 },
  APP_UNKNOWN: { title: 'No such app', message: 'an app must be named by its id or its name, got {app}{hint}', fix: 'See the list of apps.', status: 404 },
  HOST_NAME: { title: 'Virtual host', message: 'a virtual host must be a name in lower case, with a dot or one of the settings’ "hosts", and no alias, got {got}', fix: 'Write it like "shop.example".', status: 400 },
  APP_FIXED: { title: 'App is not the host’s to remove', message: '{source} must be an archive in a watched folder or an upload', fix: 'Remove it there, or stop the app.', status: 409 },
  DATA_SHARED: { title: 'Data of another app too', message: '{folder} must be the data folder of one app to be removed, and {app} has it too', fix: 'Undeploy without removing the data, or undeploy the other app first.', status: 409 },
  IDLE_PROCESSES: { title: 'App with background processes does not sleep', message: 'idle must be left out for {name}: its background processes {processes} work without being asked', fix: 'Leave it out, or set it to false.', status: 409 },
  USER_UNKNOWN: { title: 'No such user', message: 'apps.{app}.user must be a user of this machine, got {user}', fix: 'Make that user, or name another. What served goes on serving.', status: 503 },
  USER_DENIED: { title: 'User whom the host cannot become', message: 'apps.{app}.user must be a user whom the host may run apps as, got {user}: {reason}', fix: 'Start the host as root, or leave it out.', status: 503 },
  USER_ACCESS: { title: 'What the user of an app needs', message: '{path} must be {rule}, got {got}', fix: '{step}', status: 503 },
  ONE_USER: { title: 'Several apps run as one user', message: 'apps that are not to read each other’s files must run as users of their own, got {count} apps that run as {user}', fix: 'Give each a "user" in the settings, which only a host that root started can change to, or a host of its own.', status: 500 },
  SETTINGS_APP: { title: 'Settings of no app', message: 'a key of "apps" in the settings must be the name of an app or its id, got {app}{hint}', fix: 'Correct it. If its app is still to come, there is nothing to do.', status: 409 },
  SETTINGS_AT_START: { title: 'Setting that is read at the start', message: 'the setting {key} must be as it was when the host started', fix: 'Start the host again for the new value; until then the old one is in force.', status: 409 },
  VERSION_UNKNOWN: { title: 'No such version', message: 'a version to go back to must be one that is kept, got {digest}', fix: 'See the list of versions.', status: 404 },
  DEPLOY_SUPERSEDED: { title: 'Another upload came after it', message: '{version} must be the last of the uploads that wait for {app}, and another one came after it', fix: 'Nothing of it was started. If it is the one that shall serve, deploy it again.', status: 409 },
  USAGE: { title: 'Command line', message: '{problem}', fix: 'See: zapp {command} --help', status: 400 },
  INTERNAL: { title: 'Fault of Zapp', message: '{reason}', fix: 'Report it with the command and the archive.', status: 500 },
  // ── The admin API, and the commands that speak to it ──────────────────────────────────────────────────────────
  ADMIN_UNENCRYPTED: { title: 'Token that others can read', message: 'an admin address that other machines reach must have TLS, {address} has none', fix: 'Give it "admin.tls" in the settings, or an address of 127.0.0.1 and a tunnel to it.', status: 422 },
  ADMIN_TOKEN: { title: 'No token, or a wrong one', message: 'a request to the admin listener must bring the token of its host', fix: 'Name it: --token-file FILE or ZAPP_TOKEN. The host prints where its file is when it starts.', status: 401 },
  ADMIN_UNKNOWN: { title: 'No such page of the admin API', message: '{path} must be a path of the admin API', fix: 'GET /api/openapi.json lists them.', status: 404 },
  ADMIN_REQUEST: { title: 'Request that the admin API does not take', message: 'the request must be one that the API describes: {problem}', fix: 'GET /api/openapi.json tells what it takes.', status: 400 },
  ADMIN_ANSWER: { title: 'Answer that the admin API does not give', message: 'an admin listener of Zapp must answer at {url}, got status {got} and something else', fix: 'Check the address: it must be the admin listener, not that of the apps.', status: 502 },
  ADMIN_UNREACHABLE: { title: 'Host cannot be reached', message: 'an admin listener must answer at {url}: {reason}', fix: 'Start the host, or name another: its state folder with ZAPP_STATE, or its address with --to URL and its token with --token-file or ZAPP_TOKEN.', status: 502 },
} as const satisfies Record<string, ErrorRow>
