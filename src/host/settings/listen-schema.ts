import * as z from 'zod'
import * as v from '../../format/manifest-values.ts'

const { documented, optional } = v

/*
 * Where a host listens: the keys `listen` and `admin` of zapp.host.json. Texts given as `error` complete the sentence
 * "<key> must be …".
 */

const PORT = 'a port from 0 to 65535'
const port = () => z.int({ error: PORT }).min(0, { error: PORT }).max(65_535, { error: PORT })
const host = () => z.string().min(1, { error: 'an address' })
const file = () => z.string().min(1, { error: 'the path of a file' })
const serverName = () =>
  z.string().regex(/^(?:(?:\*\.)?[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9-]{1,63})*)$/, {
    error: 'a host name in lower case, or "*." and one',
  })

const pair = z.strictObject({
  cert: documented(file(), 'The file with the certificate first and its chain after it, in PEM.', {
    example: '/etc/zapp/tls/fullchain.pem',
  }),
  key: documented(file(), 'The file with its private key, in PEM and without a passphrase.', {
    example: '/etc/zapp/tls/privkey.pem',
  }),
  hosts: optional(z.array(serverName()), 'The names that it is for, instead of those that it was issued for.', {
    example: ['shop.example', '*.shop.example'],
  }),
})

const pairs = () =>
  z.union([pair, z.array(pair).min(1, { error: 'at least one pair' })], { error: 'an object or a list of objects' })

const redirect = z.strictObject({
  port: optional(port(), 'The port of the addresses that it leads to.', { default: 443 }),
  webroot: optional(
    z.string().min(1, { error: 'the path of a folder' }),
    'The folder that certbot puts its answers to HTTP-01 challenges in (certbot certonly --webroot -w FOLDER).',
    { example: '/var/lib/zapp-acme' },
  ),
})

const listener = z.strictObject({
  host: optional(host(), 'The address.', { default: '127.0.0.1' }),
  port: optional(port(), 'The port; 0 takes any free one. Default: 8080, with "tls" 8443.'),
  tls: optional(
    pairs(),
    'A certificate and its key, or several: each client gets the one for the name that it asks for, and the first where none is.',
  ),
  redirect: optional(redirect, 'Serves no app: leads every request to the same address with https (308).', {
    example: { webroot: '/var/lib/zapp-acme' },
  }),
})

export const listenSchema = z.union([listener, z.array(listener).min(1, { error: 'at least one address' })], {
  error: 'an object or a list of objects',
})

export const adminSchema = z.strictObject({
  host: optional(host(), 'The address.', { default: '127.0.0.1' }),
  port: optional(port(), 'The port; 0 takes any free one.', { default: 8081 }),
  tls: optional(
    pairs(),
    'A certificate and its key, or several, as those of "listen". Renewed files are taken while the host runs.',
    { example: { cert: '/etc/zapp/tls/admin.pem', key: '/etc/zapp/tls/admin.key' } },
  ),
})

export type ListenSource = z.infer<typeof listener>
