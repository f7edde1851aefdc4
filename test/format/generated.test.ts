import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { generate } from '../../scripts/generate.js'
import { ERRORS } from '../../src/errors.ts'
import { manifestSchema } from '../../src/format/manifest.ts'
import { settingsSchema } from '../../src/host/settings/settings-schema.ts'

const files = generate({ ERRORS, manifestSchema, settingsSchema })

test.each(Object.keys(files))('%s is fresh', (file) => {
  const onDisk = readFileSync(join(import.meta.dirname, '../..', file), 'utf8')
  expect(onDisk === files[file], `${file} is stale: run "npm run generate"`).toBe(true)
})
