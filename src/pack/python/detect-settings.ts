import type { ModuleSource } from './module-source.ts'

/** What modules say about the world that they run in. */
export interface SettingsFacts {
  /** `config` and `health`, where there are any. */
  readonly manifest: Record<string, unknown>
  readonly because: readonly string[]
}

const REQUIRED = /\b(?:os\.)?environ\s*\[\s*["'](?<name>[A-Z][A-Z0-9_]*)["']\s*\](?!\s*=[^=])/g
const OPTIONAL = /\b(?:(?:os\.)?environ\.get|(?:os\.)?getenv)\s*\(\s*["'](?<name>[A-Z][A-Z0-9_]*)["']/g
// The container's to say, or not allowed in a manifest (rule R15).
const NOT_CONFIG =
  /^(?:PATH|HOME|HOST|PORT|TZ|LANG|NODE_.*|LD_.*|DYLD_.*|PYTHON.*|ZAPP_.*|DJANGO_SETTINGS_MODULE|SCRIPT_NAME)$/
const SECRET = /SECRET|PASSWORD|PASSWD|TOKEN|PRIVATE|API_?KEY|CREDENTIAL|DSN|DATABASE_URL/
const HEALTH = /["'](?:\^?\/?)(?<path>(?:healthz|health|healthcheck|livez|-\/health|_health)\/?)\$?["']/

/** Environment variables that are read, and a path made for health checks. */
export function settingsFacts(modules: readonly { file: string; source: ModuleSource }[]): SettingsFacts {
  const config: Record<string, object> = {}
  const because: string[] = []
  let health: string | undefined
  for (const { file, source } of modules) {
    for (const [pattern, required] of [[REQUIRED, true] as const, [OPTIONAL, false] as const]) {
      for (const match of source.text.matchAll(pattern)) {
        const name = match.groups?.name ?? ''
        if (NOT_CONFIG.test(name) || name in config) continue
        config[name] = {
          type: 'string',
          ...(required ? { required } : {}),
          ...(SECRET.test(name) ? { secret: true } : {}),
        }
        because.push(`${file}:${lineOf(source.text, match.index)} ${required ? 'needs' : 'reads'} the variable ${name}`)
      }
    }
    const found = HEALTH.exec(source.text)
    if (found && health === undefined) {
      health = `/${found.groups?.path}`
      because.push(`${file}:${lineOf(source.text, found.index)} answers ${health}`)
    }
  }
  const manifest = {
    ...(Object.keys(config).length > 0 ? { config } : {}),
    ...(health === undefined ? {} : { health: { path: health } }),
  }
  return { manifest, because }
}

export function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}
