import { describe, expect, test } from 'vitest'
import { judgeRequestPath } from '../../src/mount/request-path.ts'

const judge = (target: string, mount = '', host = 'shop.example', method = 'GET') =>
  judgeRequestPath({ method, target, mount, headers: new Headers({ host }) })

describe('refused whatever the route', () => {
  test.each([
    // P5: dot segments as they are,
    ...['/..', '/.', '/../x', '/./x', '/a/..', '/a/.', '/a/../x', '/a/./x', '/a/b/../../x', '/..?x'],
    // escaped,
    ...['/%2e%2e', '/%2E%2e/x', '/.%2e/x', '/%2e./x', '/%2e', '/a/%2e/x', '/a/%2e%2e/x', '/%2e/WEB-INF'],
    // with parameters
    ...['/a/..;/x', '/.;/', '/..;x=1/y', '/a/.;x', '/a/%2e%2e;/x', '/a/..%3b/x'],
    // Dot segments behind an encoded slash or backslash: some decoder downstream will see them.
    ...['/a%2f..%2fb', '/..%2fx', '/a/..%5cx', '/a%5c..', '/a\\..\\b', '/%2e%2e%2f', '/a%2f.%2fb', '/..%2f%ff'],
    // P6
    ...['/%00', '/a%00.js', '/%0a', '/%0d', '/%09', '/%1f', '/%7f', '/%7F', '/.%00/WEB-INF', '/%zz%00', '/%ff%0a'],
    // P4
    ...['//', '//evil/x', '//evil', '///x', '/\\evil', '/\\/evil', '//%2e'],
    // P3, and what is no URI at all
    ...[
      '*',
      '',
      'x',
      'x/y',
      '?x',
      '/a#b',
      '/#',
      '/a?b#c',
      '/a b',
      '/a\tb',
      '/a\r\nb',
      '/caf\u00e9',
      '/a?\u00e9',
      '/\u2025',
    ],
  ])('%j is 400', (target) => {
    expect(judge(target)).toBe(400)
  })

  test('CONNECT has no path', () => {
    expect(judge('shop.example:443', '', 'shop.example:443', 'CONNECT')).toBe(405)
  })
})

describe('taken as it is', () => {
  const plain = (target: string, decoded: string, query = '') =>
    expect(judge(target)).toEqual({ decoded, raw: target.split('?')[0], plain: true, query })

  test.each([
    ['/', '/'],
    ['/a', '/a'],
    ['/a/', '/a/'],
    ['/a//b', '/a//b'],
    ['/a//', '/a//'],
    ['/...', '/...'],
    ['/..a', '/..a'],
    ['/a..', '/a..'],
    ['/.a', '/.a'],
    ['/a;b', '/a;b'],
    ['/a;/..b', '/a;/..b'],
    ['/;', '/;'],
    ['/a:b@c', '/a:b@c'],
    ["/~a/$&+,=!'()*", "/~a/$&+,=!'()*"],
    ['/a+b', '/a+b'],
    ['/%61', '/a'],
    ['/a%20b', '/a b'],
    ['/caf%C3%A9', '/café'],
    ['/%F0%9F%98%80', '/\u{1f600}'],
    ['/%EF%BB%BFa', '/\ufeffa'],
    ['/%c2%80', '/\u0080'],
    ['/a%23b', '/a#b'],
    ['/a%3fb', '/a?b'],
    // Decoded once.
    ['/%252e%252e', '/%2e%2e'],
    ['/%252e%252e/x', '/%2e%2e/x'],
    ['/%2557EB-INF', '/%57EB-INF'],
    ['/a%252fb', '/a%2fb'],
    ['/%2500', '/%00'],
    // No normalising to NFC, no full-width dots taken for dots.
    ['/cafe%CC%81', '/cafe\u0301'],
    ['/%EF%BC%8E%EF%BC%8E/x', '/\uff0e\uff0e/x'],
  ])('%j is %j', (target, decoded) => plain(target, decoded))

  test.each([
    ['/a?', '?'],
    ['/a?x=/../y', '?x=/../y'],
    ['/a?%00%zz', '?%00%zz'],
    ['/a??b', '??b'],
  ])('the query of %j is not judged', (target, query) => plain(target, '/a', query))
})

describe('no single meaning: matched as written, never looked up', () => {
  test.each([
    ['/a%2fb', '/a%2fb'],
    ['/a%2Fb/%63', '/a%2Fb/c'],
    ['/%2f', '/%2f'],
    ['/a%5cb', '/a%5cb'],
    ['/a\\b', '/a\\b'],
    ['/%zz', '/%zz'],
    ['/%', '/%'],
    ['/%6', '/%6'],
    ['/%u002e', '/%u002e'],
    ['/%u002e%u002e/x', '/%u002e%u002e/x'],
    ['/%c0%ae', '/%c0%ae'],
    ['/%c0%ae%c0%ae/x', '/%c0%ae%c0%ae/x'],
    ['/%e0%80%ae', '/%e0%80%ae'],
    ['/%ff', '/%ff'],
    ['/%ed%a0%80', '/%ed%a0%80'],
    ['/%f4%90%80%80', '/%f4%90%80%80'],
    ['/a%20b/%ff', '/a b/%ff'],
  ])('%j', (target, decoded) => {
    expect(judge(target)).toEqual({ decoded, raw: target, plain: false, query: '' })
  })
})

describe('below a mount', () => {
  test.each([
    ['/shop', '', ''],
    ['/shop/', '/', '/'],
    ['/shop/a', '/a', '/a'],
    ['/shop/%61%20b', '/a b', '/%61%20b'],
    ['/%73hop/%61', '/a', '/%61'],
    ['/shop/shop', '/shop', '/shop'],
    ['/shop/a//b', '/a//b', '/a//b'],
  ])('%j', (target, decoded, raw) => {
    expect(judge(target, '/shop')).toEqual({ decoded, raw, plain: true, query: '' })
  })

  test.each([
    ['/shopping', 404],
    ['/SHOP', 404],
    ['/Shop/', 404],
    ['/shop%2f', 404],
    ['/shop%2fa', 404],
    ['/sho', 404],
    ['/', 404],
    ['/x/shop/a', 404],
    ['/shop;a/b', 404],
    ['/shop//evil', 400],
    ['/shop/\\evil', 400],
    ['/%73hop//evil', 400],
    ['/shop/../x', 400],
    ['/x/../shop', 400],
    ['/x/%00', 400],
  ])('%j is %i', (target, status) => {
    expect(judge(target, '/shop')).toBe(status)
  })

  test('of two segments', () => {
    expect(judge('/a/b/%63?d', '/a/b')).toEqual({ decoded: '/c', raw: '/%63', plain: true, query: '?d' })
    expect(judge('/a/%62', '/a/b')).toEqual({ decoded: '', raw: '', plain: true, query: '' })
    expect(judge('/a/bc', '/a/b')).toBe(404)
  })

  test('beyond ASCII', () => {
    expect(judge('/caf%C3%A9/x', '/café')).toEqual({ decoded: '/x', raw: '/x', plain: true, query: '' })
    expect(judge('/caf%c3%a9', '/café')).toEqual({ decoded: '', raw: '', plain: true, query: '' })
    expect(judge('/caf%c3%a9/x/%ff', '/caf%c3%a9')).toEqual({
      decoded: '/x/%ff',
      raw: '/x/%ff',
      plain: false,
      query: '',
    })
  })
})

describe('absolute form', () => {
  test.each([
    ['http://shop.example/a?b', 'shop.example', '/a', '?b'],
    ['HTTP://SHOP.example/a', 'shop.EXAMPLE', '/a', ''],
    ['https://shop.example/a', 'shop.example', '/a', ''],
    ['http://shop.example:8080/', 'shop.example:8080', '/', ''],
    ['http://shop.example', 'shop.example', '/', ''],
    ['http://shop.example?b', 'shop.example', '/', '?b'],
    ['http://[::1]:80/a', '[::1]:80', '/a', ''],
  ])('%j for Host %j', (target, host, decoded, query) => {
    expect(judge(target, '', host)).toEqual({ decoded, raw: decoded, plain: true, query })
  })

  test.each([
    ['http://other/a', 'shop.example'],
    ['http://shop.example:80/a', 'shop.example'],
    ['http://user@shop.example/a', 'shop.example'],
    ['http://shop.example.evil/a', 'shop.example'],
    ['http:///a', 'shop.example'],
    ['http:///a', ''],
    ['http:/a', 'shop.example'],
    ['http:a', 'shop.example'],
    ['ftp://shop.example/a', 'shop.example'],
    ['//shop.example/a', 'shop.example'],
    ['http://shop.example/../a', 'shop.example'],
    ['http://shop.example//evil', 'shop.example'],
    ['http://shop.example/#a', 'shop.example'],
    ['http://shop.example#a', 'shop.example'],
    ['http://shop.example\\a', 'shop.example'],
  ])('%j for Host %j is 400', (target, host) => {
    expect(judge(target, '', host)).toBe(400)
  })

  test('without a Host', () => {
    expect(judgeRequestPath({ method: 'GET', target: 'http://a/', mount: '', headers: new Headers() })).toBe(400)
  })
})

test('a long path of oddities is judged in one pass', () => {
  expect(judge(`/${'%20'.repeat(2500)}`)).toMatchObject({ plain: true })
  expect(judge(`/${'a/'.repeat(4000)}..`)).toBe(400)
})
