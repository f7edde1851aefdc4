import { loadApp } from '../../../src/runtimes/load.ts'

/** A process that runs an app until it is killed. Prints the address of the app's own answer once it runs. */
const [archive = '', cache = '', data = ''] = process.argv.slice(2)
const app = await loadApp(archive, { cache, data, onLog: ({ text }) => console.log(text) })
const answer = await app.fetch(new Request('http://shop.example/'))
console.log(`answer: ${await answer.text()}`)
