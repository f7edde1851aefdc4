import { join } from 'node:path'
import { build } from 'vite'
import { tmpDir } from './tmp.ts'

/**
 * Makes JavaScript of a TypeScript program and all that it imports, for a process of its own. What is imported when it is
 * needed lies beside the file, in the same folder.
 */
export async function buildProgram(entry: string): Promise<string> {
  const outDir = await tmpDir()
  await build({
    configFile: false,
    logLevel: 'error',
    ssr: { noExternal: true },
    build: {
      ssr: entry,
      outDir,
      target: 'node20',
      rollupOptions: { output: { entryFileNames: 'program.mjs', chunkFileNames: '[name]-[hash].mjs' } },
    },
  })
  return join(outDir, 'program.mjs')
}
