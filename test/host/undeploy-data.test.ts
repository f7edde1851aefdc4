import { access, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tmpDir } from '../helpers/tmp.ts'
import { entry, folderOf, rejection, says, settingsFile, start } from './helper.ts'

const app = (name: string) =>
  [{ ...entry, name, version: '1.0.0', data: { uploads: { path: 'uploads' } } }, says(name)] as const

/** A host whose settings give apps a data folder in which somebody else has a file too. */
async function serving(...names: string[]) {
  const root = await tmpDir()
  await writeFile(join(root, 'own.txt'), '')
  const dir = await folderOf(Object.fromEntries(names.map((name) => [`${name}.zapp`, app(name)])))
  const apps = Object.fromEntries(names.map((name) => [name, { data: root }]))
  const options = { state: join(await tmpDir(), 'state'), settings: await settingsFile({ apps }) }
  return { root, dir, options, ...(await start(dir, options)) }
}

describe('undeploy, with the data', () => {
  it('removes the folders that the manifest names, and nothing beside them', async () => {
    const { host, root } = await serving('shop')
    expect((await readdir(root)).sort()).toContain('uploads')
    await host.undeploy('shop', { keepData: false })
    expect(host.apps).toEqual([])
    expect(await readdir(root)).toContain('own.txt')
    expect(await readdir(root)).not.toContain('uploads')
  })

  it('is refused while another app has the same folder', async () => {
    const { host, root } = await serving('shop', 'blog')
    const error = await rejection(host.undeploy('shop', { keepData: false }))
    expect(error).toMatchObject({
      code: 'DATA_SHARED',
      findings: [{ args: { folder: join(root, 'uploads'), app: '/blog' } }],
    })
    expect(host.apps).toHaveLength(2)
    await host.undeploy('blog')
    await host.undeploy('shop', { keepData: false })
    await expect(access(join(root, 'uploads'))).rejects.toThrow('ENOENT')
  })
})
