import { expect, it } from 'vitest'
import { type AccessRecord, formatAccess } from '../../src/host/access-log.ts'

const record: AccessRecord = {
  time: Date.parse('2026-01-31T12:00:00.123Z'),
  peer: '127.0.0.1',
  method: 'GET',
  target: '/shop/?q=a%20b',
  httpVersion: '1.1',
  status: 200,
  bytes: 5123,
  ms: 3.24,
  app: '/shop',
  version: '1.0.0',
  aborted: false,
  id: 'a-1',
  referer: 'https://shop.example/"x',
  userAgent: 'Mozilla/5.0 (\x1b[2J)',
}

it('is one line', () => {
  expect(formatAccess(record)).toBe(
    '2026-01-31T12:00:00.123Z 127.0.0.1 "GET /shop/?q=a%20b HTTP/1.1" 200 5123 3.2ms /shop',
  )
})

it('can be what other tools read', () => {
  const common = '127.0.0.1 - - [31/Jan/2026:12:00:00 +0000] "GET /shop/?q=a%20b HTTP/1.1" 200 5123'
  expect(formatAccess(record, 'common')).toBe(common)
  const fields = '"https://shop.example/\\x22x" "Mozilla/5.0 (\\x1b[2J)"'
  expect(formatAccess(record, 'combined')).toBe(`${common} ${fields}`)
  expect(formatAccess({ ...record, status: 0, referer: '', userAgent: '' }, 'combined')).toMatch(/ 499 5123 "-" "-"$/)
  const line = formatAccess({ ...record, target: '/\x9b\xff' }, 'json')
  expect(line).toMatch(/^[\x20-\x7e]*$/)
  expect(JSON.parse(line)).toEqual({
    ...{ time: '2026-01-31T12:00:00.123Z', id: 'a-1', peer: '127.0.0.1' },
    ...{ method: 'GET', target: '/\x9b\xff', protocol: 'HTTP/1.1', status: 200, bytes: 5123, ms: 3.24, aborted: false },
    ...{ app: '/shop', version: '1.0.0', referer: record.referer, userAgent: record.userAgent },
  })
})

it('says when the client left, and when there was no request', () => {
  expect(formatAccess({ ...record, status: 0, aborted: true })).toMatch(/ 0 5123 3\.2ms \/shop aborted$/)
  const unread = { method: '-', target: '-', httpVersion: '-', app: '-', status: 400 }
  expect(formatAccess({ ...record, ...unread })).toMatch(/ 127\.0\.0\.1 "-" 400 5123 3\.2ms -$/)
})

it('lets nothing that a client sent end the quotes, the line, or reach a terminal raw', () => {
  const line = formatAccess({ ...record, target: '/"\\\x1b[2J\r\n\xff HTTP/1.1" 200' })
  expect(line).toContain('"GET /\\x22\\x5c\\x1b[2J\\x0d\\x0a\\xff HTTP/1.1\\x22 200 HTTP/1.1"')
  expect(line).toMatch(/^[\x20-\x7e]*$/)
})
