import { describe, expect, it } from 'vitest'
import { entry, folderOf, start } from './helper.ts'

describe('an app that talks to the host', () => {
  const neighbour = { 'app.cjs': 'module.exports = (req, res) => res.end("still here")' }
  const app = (code: string) => ({
    'app.cjs': `module.exports = (req, res) => { ${code}; res.end(typeof process.send) }`,
  })

  it('finds no process.send, as if nobody had started it', async () => {
    const { text } = await start(await folderOf({ 'app.zapp': [entry, app('')] }))
    expect(await text('/app')).toBe('undefined')
  })

  it.each([
    ['no JSON', 'x'],
    ['no object', 'null'],
    ['a message without its parts', '{"type":"report"}'],
    ['counts that are none', '{"type":"report","counts":{"requests":{"2xx":"many"}},"lines":"","lost":0}'],
    ['records that are none', '{"type":"access","texts":[],"records":[null]}'],
    ['an unknown word', '{"type":"toString"}'],
    ['a handle of no kind', '{"cmd":"NODE_HANDLE","type":"none"}'],
  ])('over the channel itself with %s loses its process, and nobody else anything', async (_, line) => {
    const say = `require('node:fs').writeSync(3, ${JSON.stringify(`${line}\n`)})`
    const { host, text, get, events } = await start(
      await folderOf({ 'app.zapp': [entry, app(`if (req.url === '/say') ${say}`)], 'quiet.zapp': [entry, neighbour] }),
    )
    const before = host.apps.find(({ mount }) => mount === '/app')?.pids
    await get('/app/say').catch(() => {})
    await expect.poll(() => events.some(({ type }) => type === 'error')).toBe(true)
    expect(await text('/quiet')).toBe('still here')
    await expect.poll(async () => (await get('/app')).status).toBe(200)
    expect(host.apps.find(({ mount }) => mount === '/app')?.pids).not.toEqual(before)
  })
})
