import { apacheLiteral } from './quote.ts'

/** Lets one file of a folder answer requests. */
export function access(folder: string, file: string, ...settings: readonly string[]): string[] {
  return [
    `<Directory ${apacheLiteral(folder)}>`,
    `  <Files ${apacheLiteral(file)}>`,
    ...['Require all granted', ...settings].map((line) => `    ${line}`),
    '  </Files>',
    '</Directory>',
  ]
}
