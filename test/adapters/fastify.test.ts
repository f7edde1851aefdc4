import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { afterEach, expect, it } from 'vitest'
import { zapp } from '../../src/adapters/fastify.ts'
import { loadNode, rawGet } from '../helpers/load.ts'

const SEES = `module.exports = (req, res) => {
  const { method, url, baseUrl, originalUrl } = req
  let body = ''
  req.on('data', (chunk) => { body += chunk })
  req.on('end', () => res.end(JSON.stringify({ method, url, baseUrl, originalUrl, body })))
}`

const servers: FastifyInstance[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function start(build: (outer: FastifyInstance) => void, options: FastifyServerOptions = {}): Promise<string> {
  const outer = fastify(options) as FastifyInstance
  servers.push(outer)
  build(outer)
  await outer.listen({ host: '127.0.0.1', port: 0 })
  return `http://127.0.0.1:${(outer.server.address() as AddressInfo).port}`
}

it('asks Fastify’s hooks first, and keeps the headers that they set', async () => {
  const app = await loadNode(SEES)
  const at = await start((outer) => {
    outer.addHook('onRequest', async (_, reply) => {
      reply.header('access-control-allow-origin', '*')
    })
    outer.addHook('preHandler', async (request, reply) => {
      if (request.headers.authorization === undefined) return reply.code(401).send('who?')
    })
    outer.register(zapp(app), { prefix: '/shop' })
  })
  expect((await fetch(`${at}/shop/x`)).status).toBe(401)
  const answer = await fetch(`${at}/shop/x`, { headers: { authorization: 'me' } })
  expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, '*'])
})

it('leaves the body to the app and the outer app’s parsers to the outer app', async () => {
  const app = await loadNode(SEES)
  const at = await start((outer) => {
    outer.register(zapp(app), { prefix: '/shop' })
    outer.post('/own', async (request) => ({ got: request.body }))
  })
  for (const type of ['application/json', 'text/plain', 'application/x-unheard-of']) {
    const sent = { method: 'POST', headers: { 'Content-Type': type }, body: '{"a":' }
    expect(JSON.parse(await (await fetch(`${at}/shop/x`, sent)).text()).body).toBe('{"a":')
  }
  const own = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"a":1}' }
  expect(await (await fetch(`${at}/own`, own)).json()).toEqual({ got: { a: 1 } })
})

it('hands on the target as it was sent, however Fastify’s router reads it', async () => {
  const app = await loadNode(SEES)
  const at = await start((outer) => outer.register(zapp(app), { prefix: '/shop' }))
  for (const url of ['/a%2Fb', '/a//b', '/%20;c?d=%zz&e', '/caf%C3%A9', '/a?b?c']) {
    expect(JSON.parse((await rawGet(at, `/shop${url}`)).body)).toMatchObject({ url, originalUrl: `/shop${url}` })
  }
  // The prefix, otherwise written, is the same prefix.
  expect(JSON.parse((await rawGet(at, '/%73hop/x')).body)).toMatchObject({ url: '/x', baseUrl: '/%73hop' })
  expect((await rawGet(at, '/shop/%2e%2e/x')).status).toBe(400)
  expect((await rawGet(at, '/shop%2fx')).status).toBe(404)
})

it('may have parameters in its prefix, a mount below it, and a slash at its end', async () => {
  const app = await loadNode(SEES, { mount: '/shop' })
  const at = await start((outer) => {
    outer.register(zapp(app), { prefix: '/of/:tenant/shop' })
    outer.register(zapp(app), { prefix: '/outer' })
    outer.register(zapp(app), { prefix: '/slash/' })
  })
  const sees = async (path: string) => JSON.parse((await rawGet(at, path)).body)
  expect(await sees('/of/anna/shop/x')).toMatchObject({ url: '/x', baseUrl: '/of/anna/shop' })
  expect(await sees('/outer/shop/x')).toMatchObject({ url: '/x', baseUrl: '/outer/shop' })
  expect(await sees('/slash/shop/x')).toMatchObject({ url: '/x', baseUrl: '/slash/shop' })
  expect((await rawGet(at, '/outer/x')).body).toContain('Route GET:/outer/x not found')
})

it('follows rewriteUrl', async () => {
  const app = await loadNode(SEES)
  const rewriteUrl = (req: IncomingMessage) => req.url!.replace('/old/', '/shop/')
  const at = await start((outer) => outer.register(zapp(app), { prefix: '/shop' }), { rewriteUrl })
  expect(JSON.parse((await rawGet(at, '/old/x')).body)).toMatchObject({ url: '/x', baseUrl: '/shop' })
})

it('takes every method', async () => {
  const app = await loadNode(SEES)
  const at = await start((outer) => outer.register(zapp(app), { prefix: '/shop' }))
  for (const method of ['PROPFIND', 'MKCOL', 'LINK', 'TRACE', 'DELETE', 'OPTIONS']) {
    const [answer] = await once(request(`${at}/shop/x`, { method }).end(), 'response')
    expect([answer.statusCode, JSON.parse(await text(answer)).method]).toEqual([200, method])
  }
})

it('cannot keep Fastify from refusing bodies whose type is none', async () => {
  const app = await loadNode(SEES)
  const at = await start((outer) => outer.register(zapp(app), { prefix: '/shop' }))
  const send = async (method: string, headers: Record<string, string>) => {
    const [answer] = await once(request(`${at}/shop/x`, { method, headers }).end('body'), 'response')
    await text(answer)
    return answer.statusCode
  }
  expect(await send('POST', { 'Content-Type': 'nonsense' })).toBe(415)
  expect(await send('QUERY', {})).toBe(400)
  expect(await send('QUERY', { 'Content-Type': 'text/plain' })).toBe(200)
})
