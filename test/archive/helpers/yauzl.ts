import { buffer } from 'node:stream/consumers'
import { fromBuffer } from 'yauzl'

/** Every entry that yauzl finds, with its content in hex. */
export function readWithYauzl(bytes: Buffer): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  return new Promise((resolve, reject) => {
    fromBuffer(bytes, { lazyEntries: true, strictFileNames: true }, (error, zip) => {
      if (error) return reject(error)
      zip.on('error', reject)
      zip.on('end', () => resolve(found))
      zip.on('entry', (entry) => {
        zip.openReadStream(entry, (failure, stream) => {
          if (failure) return reject(failure)
          buffer(stream).then((content) => {
            found.set(entry.fileName, content.toString('hex'))
            zip.readEntry()
          }, reject)
        })
      })
      zip.readEntry()
    })
  })
}
