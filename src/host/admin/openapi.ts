import { VERSION_PATTERN } from '../names.ts'
import type { Operation } from './operations.ts'
import { SCHEMAS } from './schemas.ts'

/** The OpenAPI 3.1 document of the operations; SCHEMAS has the shapes of their answers. */
export function openApi(operations: readonly Operation[], about: { readonly version: string }): object {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const operation of operations) {
    const { path, method } = operation
    paths[path] = { ...paths[path], [method.toLowerCase()]: describe(operation) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Zapp admin API', version: about.version },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: SCHEMAS,
    },
  }
}

function describe({ id, summary, path, query = {}, body, status, answer }: Operation) {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    ...{ name, in: 'path', required: true, schema: { type: 'string' } },
    description: 'Id of the app ("/shop"), or its name where only one app has it.',
  }))
  const inQuery = Object.entries(query).map(([name, description]) => ({
    ...{ name, in: 'query', description, schema: schemaOf(name) },
  }))
  return {
    operationId: id,
    summary,
    parameters: [...inPath, ...inQuery],
    ...(body && { requestBody: { content: contentOf(body) } }),
    responses: {
      [status]: { description: 'Done.', ...(answer && { content: answerOf(answer) }) },
      default: { description: 'What is wrong, and what to do.', content: answerOf('Error') },
    },
  }
}

function schemaOf(name: string) {
  return { type: 'string', ...(name === 'version' && { pattern: VERSION_PATTERN }) }
}

function contentOf({ archive, json }: NonNullable<Operation['body']>) {
  const properties = Object.fromEntries(
    Object.entries(json ?? {}).map(([name, description]) => [name, { ...schemaOf(name), description }]),
  )
  return {
    ...(archive && { 'application/vnd.zapp+zip': { schema: { type: 'string', format: 'binary' } } }),
    ...(json && { 'application/json': { schema: { type: 'object', properties } } }),
  }
}

function answerOf(answer: string) {
  if (answer.includes('/')) return { [answer]: { schema: { type: 'string' } } }
  return { 'application/json': { schema: { $ref: `#/components/schemas/${answer}` } } }
}
