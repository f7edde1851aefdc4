import type { Random } from '../archive/helpers/mutate.ts'

const TOKEN = /"(?:[^"\\\n]|\\.)*"|[-+.0-9A-Za-z]+|[{}[\]:,]|\s+|[\s\S]/g
const WORD = /^["0-9A-Za-z-]/

const VALUES = [
  ...['0', '1', '2', '-1', '-0', '1.0', '1e3', '20', '9007199254740992', '1e400', 'NaN', '-NaN', '-Infinity'],
  ...['true', 'false', 'null', '{}', '[]', '[1]', '{"a":1}', '[["a"]]', '{"entry":"main"}', '{"file":"a"}'],
  ...['""', '"x-a"', '"x-ü"', '"__proto__"', '"constructor"', '"main"', '"\\u0061"', '"a\\u0000b"', '"a\\n"'],
  ...['"\\ud800"', '"\\ud83c\\udf89"', '"🎉"', '"\u007f"', '"é"', '"e\u0301"', '"\u2028"', '"\u{e000}"', '"\u0378"'],
  ...['"/a/*"', '"/*"', '"*.pdf"', '"*.a.b"', '"/a//b"', '"/a/../b"', '"/%41"', '"/a/"', '"/a*"', '"//*"', '"/."'],
  ...['"node"', '"fetch"', '"server"', '"wsgi"', '"asgi"', '"cgi"', '"a.b:c.d"', '"a:b()"', '"immutable"', '"any"'],
  ...['"PATH"', '"LD_X"', '"LD_"', '"PYTHON"', '"ZAPP_A"', '"A"', '"X-A"', '"Vary"', '"ETag"', '"cache-control"'],
  ...['"400d"', '"366d"', '"8d"', '"7d"', '"168h"', '"1ms"', '"0s"', '"99999999d"', '"1.2.3"', '"1.2"', '">=3.9,<4"'],
  ...['"{node}"', '"{data.x}"', '"{config.A}"', '"{a}"', '"{A b}"', '"https://a.example/"', '"//evil"', '"/"', '"/b"'],
  ...['"ZAPP-INF/x"', '"ZAPP-INF"', '"zapp.json"', '"../x"', '"a/"', '"con"', '"a/COM1.txt"', '"a."', '"a:b"', '"a"'],
  ...[
    '"string"',
    '"enum"',
    '"json"',
    '"integer"',
    '"boolean"',
    '"url"',
    '"file"',
    '"404"',
    '"4xx"',
    '"600"',
    '"index.html"',
  ],
]
const MEMBERS = [
  ...['"websocket":true', '"strip":true', '"unpack":true', '"required":true', '"secret":true', '"values":["a"]'],
  ...['"default":1', '"default":"a"', '"default":{"a":[1]}', '"else":{"file":"a"}', '"else":{"entry":"main"}'],
  ...['"entry":"main"', '"static":"a"', '"redirect":{"to":"/a"}', '"cache":"1h"', '"factory":true', '"root":"a"'],
  ...['"run":["{node}"]', '"count":1', '"every":"1h"', '"path":"a"', '"env":"A"', '"env":{"A":"b"}', '"roles":{}'],
  ...['"headers":{"X-A":"b","x-a":"c"}', '"headers":{"Date":"x"}', '"type":"cgi"', '"dir":"a"', '"script":"a"'],
  ...[
    '"x-free":[1.5]',
    '"entries":{"main":{"type":"cgi"}}',
    '"entry":{"type":"node","module":"a"}',
    '"executable":["a"]',
  ],
  ...[
    '"data":{"d":{"path":"a","env":"A"}}',
    '"config":{"A":{"type":"string"}}',
    '"welcome":["a","b/c"]',
    '"base":"/a"',
  ],
  ...['"routes":{"/":{"entry":"main"}}', '"errors":{"404":"a"}', '"health":{"path":"/a","timeout":"8d"}'],
  ...['"processes":{"p":{"run":["{config.A}"],"count":1,"every":"8d"}}', '"lifecycle":{"migrate":{"run":["a"]}}'],
]
const BROKEN = [
  ...['01', '+1', '.5', '1.', '12a', 'NaN1', 'trueNaN', 'nul', '-true', 'TRUE', '"\\x"', '"\u0001"', '"', '\ufeff'],
  ...[
    '\0',
    '\u2028',
    '\u00a0',
    '//',
    '/* */',
    "'",
    '\\',
    '\f',
    '🎉',
    ',',
    ':',
    '{',
    ']',
    '['.repeat(40),
    '{"a":'.repeat(33),
  ],
]

/** A text that a manifest could have become: mostly JSON still, with other keys, other values, more and less of both. */
export function mutateManifest(texts: readonly string[], random: Random): Buffer {
  const tokens = random.of(texts).match(TOKEN)!
  const others = random
    .of(texts)
    .match(TOKEN)!
    .filter((token) => WORD.test(token))
  for (let n = 1 + random.below(4); n > 0; n--) {
    const words = tokens.flatMap((token, i) => (WORD.test(token) ? [i] : []))
    if (words.length === 0 || others.length === 0) break
    const at = random.of(words)
    const isKey = tokens[at + 1] === ':'
    const kind = random.below(12)
    if (kind === 0) tokens[random.below(tokens.length)] = random.of(BROKEN)
    else if (kind < 4 && isKey) tokens.splice(at, 0, random.of(MEMBERS), ',')
    else if (kind < 6) tokens[at] = random.of(others)
    else if (kind < 8) tokens[at] = tokens[random.of(words)]!
    // A key, what is behind it, and the comma.
    else if (kind === 8 && isKey) tokens.splice(at, Math.max(0, tokens.indexOf(',', at) - at + 1))
    else tokens[at] = isKey ? random.of(VALUES.filter((value) => value.startsWith('"'))) : random.of(VALUES)
  }
  const bytes = Buffer.from(tokens.join(''))
  if (random.below(20) === 0 && bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256)
  return bytes
}
