import * as z from 'zod'
import * as v from './manifest-values.ts'

const { documented, optional } = v

const redirect = z.strictObject({
  to: documented(v.redirectTarget(), 'Where to: a path, which the mount is put in front of, or a whole address.', {
    example: '/docs/',
  }),
  status: optional(
    z.literal([301, 302, 303, 307, 308], { error: '301, 302, 303, 307 or 308' }),
    'The status of the answer.',
    { default: 308 },
  ),
})

const miss = z.strictObject({
  entry: optional(v.name(), 'The entry that gets the request, whatever its method, untouched.', { example: 'main' }),
  file: optional(v.path(), 'The file that answers GET and HEAD with status 200: for single-page apps.', {
    example: 'public/index.html',
  }),
})

export const routeSchema = documented(
  z.strictObject({
    entry: optional(v.name(), 'The entry that answers. A route has exactly one of "entry", "static", "redirect".', {
      example: 'main',
    }),
    static: optional(
      v.path(),
      'The folder whose files answer; under an exact pattern the one file. Nothing else of the archive is public.',
      { example: 'public' },
    ),
    redirect: optional(redirect, 'Sends the client elsewhere.', { example: { to: '/docs/' } }),
    else: optional(miss, 'What answers where no file does. Only with "static"; without it the answer is 404.', {
      example: { entry: 'main' },
    }),
    headers: optional(
      z.record(v.headerName(), v.headerValue()),
      'Headers of every answer of this route; one that an entry sets itself stays.',
      { example: { 'X-Frame-Options': 'DENY' } },
    ),
    cache: optional(
      v.cacheRule(),
      'How long clients may keep an answer: "immutable" for names that carry a hash, "no-store", or a duration. Not with "entry".',
      { example: '1h' },
    ),
    websocket: optional(
      v.flag(),
      'Whether WebSocket upgrades under this pattern reach the entry, also where the entry does not say so. Only with "entry".',
      { default: false },
    ),
    strip: optional(
      v.flag(),
      'Whether the prefix moves from the path into SCRIPT_NAME (baseUrl in Express). Only with "entry" and a pattern like "/api/*".',
      { default: false },
    ),
    unpack: optional(
      v.flag(),
      'Whether the files are unpacked beside the code as well, for apps that read them. Only with "static".',
      { default: true },
    ),
  }),
  'What answers the requests that this pattern matches.',
)
