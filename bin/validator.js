// A process that judges archives for the host, see src/host/validation/validate.ts.
import { validate } from '../dist/host/validation/validate.js'

await validate(process)
process.exit()
