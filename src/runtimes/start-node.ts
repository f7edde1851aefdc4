import { importEntry } from './import-module.ts'
import { asListener, asUpgrade, describeExport } from './listener-shapes.ts'
import type { RunningEntry } from './running-entry.ts'

/**
 * Loads the module of a `node` entry and finds its listener.
 *
 * @param root the run tree
 * @throws ZappError ENTRY_LOAD, ENTRY_EXPORT; the app's own error is the `cause`
 */
export async function startNode(
  root: string,
  entry: { readonly module: string; readonly export?: string },
): Promise<RunningEntry> {
  const { exported, value, found } = await importEntry(root, entry, {
    names: ['default', 'app', 'handler', 'listener', 'server'],
    expected: 'a (req, res) listener, an Express app, a Koa app or its callback',
    accept: asListener,
    describe: describeExport,
  })
  return { listener: found, upgrade: () => asUpgrade(exported, value) }
}
