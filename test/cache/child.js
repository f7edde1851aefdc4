// Takes a run tree and holds it until its standard input ends: node child.js ARCHIVE CACHE [BUDGET [BOOT]]
import { openArchive } from '../../dist/archive/archive.js'
import { openCache } from '../../dist/cache/cache.js'

const [archive, dir, budget, boot] = process.argv.slice(2)
const cache = await openCache({ dir: String(dir), ...(budget && { budget: Number(budget) }), ...(boot && { boot }) })
const tree = await cache.runTree(await openArchive(String(archive)))
process.stdout.write(`${JSON.stringify({ root: tree.root, reused: tree.reused })}\n`)
process.stdin.on('end', async () => {
  await tree.release()
  process.exit()
})
process.stdin.resume()
