import { openArchive } from '../../../src/archive/archive.ts'
import { loadHosted } from '../../../src/runtimes/load.ts'

/** A process that runs an app of Python until it is killed. Prints the app's answer once it runs. */
const [file = '', cache = '', data = ''] = process.argv.slice(2)
const app = await loadHosted(await openArchive(file), { cache, data })
const answer = await app.fetch(new Request('http://shop.example/'))
console.log(`answer: ${await answer.text()}`)
