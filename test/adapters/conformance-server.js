// The conformance app as a program that listens. What containers of Node tell in properties, it is told in a field.
const app = require(`${__dirname}/app.js`)

const server = require('node:http').createServer(async (req, res) => {
  try {
    await app(Object.assign(req, { baseUrl: req.headers['x-forwarded-prefix'] }), res)
  } catch {
    res.writeHead(500).end()
  }
})
server.on('upgrade', app.upgrade).listen(process.env.PORT)
