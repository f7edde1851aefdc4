// Packs in a process of its own: node pack-child.js DIR OUT. Prints the result as JSON.
import { pack } from '../../../dist/pack/pack.js'

const [, , dir = '', out = ''] = process.argv
const { plan: _, ...result } = await pack(dir, { out })
process.stdout.write(JSON.stringify(result))
