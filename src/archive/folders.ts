/** Every folder that names lie in, the folders above it too, each with its "/". */
export function foldersOf(names: Iterable<string>): Set<string> {
  const folders = new Set<string>()
  for (const name of names) {
    for (let slash = name.lastIndexOf('/', name.length - 2); slash > 0; slash = name.lastIndexOf('/', slash - 1)) {
      const folder = name.slice(0, slash + 1)
      // Where a folder is known, so are those above it.
      if (folders.has(folder)) break
      folders.add(folder)
    }
  }
  return folders
}
