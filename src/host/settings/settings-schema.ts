import * as z from 'zod'
import { BYTES_PATTERN } from '../../format/bytes.ts'
import * as v from '../../format/manifest-values.ts'
import { ACCESS_FORMATS } from '../access-log.ts'
import { LOOPBACK } from '../front/address-limit.ts'
import { adminSchema, listenSchema } from './listen-schema.ts'

const { documented, optional } = v

/*
 * The shape of zapp.host.json. schema/host.v1.schema.json is generated from it. Paths are relative to the file's folder.
 * Texts given as `error` complete the sentence "<key> must be …".
 */

const text = (pattern: RegExp, error: string) => z.string().regex(pattern, { error })
const filePath = () => z.string().min(1, { error: 'the path of a file or folder' })
const mountPath = () =>
  text(/^(?:\/|(?:\/[A-Za-z0-9._~-]+)+)$/, '"/" or a path like "/shop", without a slash at the end')
const hostName = () =>
  text(/^(?:[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9-]{1,63})*)$/, 'a host name in lower case, without a port')
const networkText = () => z.string().min(1, { error: 'an address or a network' })
const configValue = () => z.union([z.string(), z.int(), z.boolean()], { error: 'text, a whole number, true or false' })

/** A number of workers, of threads: the manifest's own bounds. */
const workers = z.strictObject({
  processes: optional(v.count(256), 'Processes that answer requests.', { example: 2 }),
  threads: optional(v.count(256), 'Threads in each process (WSGI).', { example: 4 }),
})

/** Names as useradd(8) takes them. */
const USER = /^(?:[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?|[0-9]{1,10}:[0-9]{1,10})$/

const secret = z.strictObject({
  env: optional(v.variable(), 'The variable of the host that holds the value.', { example: 'SHOP_DATABASE_URL' }),
  file: optional(filePath(), 'The file that holds the value; one line end at its end is left out.', {
    example: '/run/secrets/database-url',
  }),
})

const health = z.strictObject({
  path: documented(v.requestPath(), 'The path that must answer 2xx.', { example: '/healthz' }),
  host: optional(v.host(), 'The Host header of the check.', { example: 'shop.example' }),
  timeout: optional(v.duration(), 'How long the app may take to become healthy.', { default: '30s' }),
})

const restarts = z.strictObject({
  count: documented(v.count(1000), 'Deaths.', { example: 5 }),
  within: documented(v.duration(), 'Of the last one and so many before it.', { example: '1m' }),
})

const limits = z.strictObject({
  memory: optional(
    text(BYTES_PATTERN, 'an amount of memory like "512M" or "2G" (units: K, M, G)'),
    'Resident memory of each worker process, program, CGI script or background process, together with what it started. A worker or program that holds more is replaced: the next one first, then it finishes what it has begun; a script or background process is ended. At twice as much each is killed. Node is told of it, too.',
    { example: '512M' },
  ),
  requestTime: optional(
    v.duration(),
    'How long an answer may take. Then it is 504, or cut off where it has begun; a worker process that does not respond at all for 5 seconds more is killed. It wins over the timeout of "cgi" entries.',
    { example: '30s' },
  ),
  restarts: optional(
    restarts,
    'How often processes may die before the app is failed. Without it: 5 times within a minute.',
    {
      example: { count: 5, within: '1m' },
    },
  ),
})

const app = z.strictObject({
  enabled: optional(v.flag(), 'Whether it is started.', { default: true }),
  mount: optional(mountPath(), 'Where it is mounted, whatever its file is called.', { example: '/shop' }),
  config: optional(z.record(v.variable(), configValue()), 'Values for the variables that the app declares.', {
    example: { PAGE_SIZE: 50 },
  }),
  secrets: optional(
    z.record(v.variable(), documented(secret, 'Where the value comes from: either "env" or "file".')),
    'Values that are not to stand in this file.',
    { example: { DATABASE_URL: { file: '/run/secrets/database-url' } } },
  ),
  data: optional(filePath(), 'The folder that holds its data folders.', { example: '/srv/data/shop' }),
  health: optional(health, 'Instead of the health check that the archive asks for.'),
  workers: optional(workers, 'Instead of what the archive asks for.'),
  idle: optional(
    z.union([v.duration(), z.literal(false)], { error: 'a duration like "10m", or false' }),
    'Its processes end when nothing was asked of it for so long, and start with the next request. false: never. Not for an app with "processes".',
    { example: '10m' },
  ),
  limits: optional(limits, 'What it may cost.'),
  user: optional(
    text(USER, 'the name of a user, or the numbers of user and group like "1001:1001"'),
    'The user that its processes run as, with the primary group alone. For a host that runs as root.',
    { example: 'shop' },
  ),
})

const perAddress = z.strictObject({
  connections: documented(
    v.count(100_000),
    'How many connections it may have at once, in the host and in the processes of apps; IPv6 by networks of 64 bits. One more is answered 429, and over TLS closed.',
    { example: 100 },
  ),
  except: optional(z.array(networkText()), 'Addresses and networks that may have any number.', {
    default: [...LOOPBACK],
  }),
})

const accessFormats = [...ACCESS_FORMATS, 'off'] as const

const accessLog = z.strictObject({
  format: optional(
    z.enum(accessFormats, { error: `one of ${accessFormats.join(', ')}` }),
    "Apache's and nginx's common or combined, an object of JSON a line, our own, or none.",
    { default: 'zapp' },
  ),
  file: optional(filePath(), 'The file that requests are logged to. Without it they go to stderr.', {
    example: '/var/log/zapp/access.log',
  }),
})

const logs = z.strictObject({
  access: optional(accessLog, 'The log of requests.'),
  apps: optional(
    filePath(),
    'The folder that gets one file for each app, named as its archive would be, with what its programs print and what becomes of its versions.',
    { example: '/var/log/zapp/apps' },
  ),
})

export const settingsSchema = documented(
  z.strictObject({
    $schema: optional(z.string(), 'Where editors find the schema of this file.'),
    folders: optional(
      z.array(filePath()),
      'Folders that are watched for archives, besides those on the command line.',
      {
        example: ['/srv/apps'],
      },
    ),
    listen: optional(
      listenSchema,
      'Where apps are served: an address, or several. --host, --port and --tls-cert win. Listeners that are the same after SIGHUP are not touched.',
    ),
    admin: optional(
      adminSchema,
      'Where administrators reach the host with a browser, besides the socket in its state folder. The command line wins. Read when the host starts.',
    ),
    proxies: optional(
      z.array(networkText()),
      'Addresses and networks of the proxies in front, which may say who the client is: X-Forwarded-For, X-Forwarded-Proto, X-Request-Id. Nobody else may. Connections that were open before SIGHUP stay what they were.',
      { example: ['127.0.0.1', '10.0.0.0/8'] },
    ),
    perAddress: optional(
      perAddress,
      'What one address of a client may have. "proxies" may have any number. Without it nothing is counted.',
    ),
    hosts: optional(
      z.record(
        hostName(),
        z.strictObject({
          aliases: optional(z.array(hostName()), 'Further names of it.', { example: ['www.shop.example'] }),
        }),
      ),
      'Virtual hosts: the names of folders inside a watched folder. One without a dot in its name has to stand here.',
      { example: { 'shop.example': { aliases: ['www.shop.example'] } } },
    ),
    idle: optional(
      v.duration(),
      'As "idle" of an app, for all that say nothing themselves. Without it their processes go on running.',
      { example: '30m' },
    ),
    logs: optional(logs, 'Logs. After SIGUSR1 files are opened anew, for logrotate.'),
    apps: optional(
      z.record(z.string(), documented(app, 'Settings of one app. They win over what its archive asks for.')),
      'Settings by app: its name in the manifest, or its id ("/shop", "shop.example/"), which wins where both stand here.',
      { example: { shop: { config: { PAGE_SIZE: 50 } } } },
    ),
  }),
  'The settings of a host: zapp serve --settings FILE. Keys that begin with "x-" are free.',
)

export type SettingsSource = z.infer<typeof settingsSchema>
export type AppSource = z.infer<typeof app>
