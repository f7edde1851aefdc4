import type { Command } from 'commander'
import type { CliCommand } from './command.ts'

export interface CommandRow {
  readonly args: string
  readonly summary: string
  readonly load: () => Promise<CliCommand>
}

/** A command's file is imported when it is asked for: `zapp --version` loads neither zod nor a zip library. */
export const COMMANDS: Readonly<Record<string, CommandRow>> = {
  init: {
    args: '[dir]',
    summary: 'look at a project and write its zapp.json',
    load: async () => (await import('./commands/init.ts')).init,
  },
  pack: {
    args: '[dir]',
    summary: 'build the archive of a project',
    load: async () => (await import('./commands/pack.ts')).pack,
  },
  validate: {
    args: '<path...>',
    summary: 'report everything wrong in archives, projects or manifests',
    load: async () => (await import('./commands/validate.ts')).validate,
  },
  inspect: {
    args: '<file>',
    summary: 'show what an archive holds and needs, running nothing',
    load: async () => (await import('./commands/inspect.ts')).inspect,
  },
  unpack: {
    args: '<file>',
    summary: 'write the files of an archive into a new folder',
    load: async () => (await import('./commands/unpack.ts')).unpack,
  },
  repack: {
    args: '<zip>',
    summary: 'make an archive of any zip that has a zapp.json',
    load: async () => (await import('./commands/repack.ts')).repack,
  },
  diff: {
    args: '<old> <new>',
    summary: 'show what changed from one archive to another',
    load: async () => (await import('./commands/diff.ts')).diff,
  },
  serve: {
    args: '[path...]',
    summary: 'serve archives or projects over HTTP',
    load: async () => (await import('./commands/serve.ts')).serve,
  },
  run: {
    args: '<file> [command...]',
    summary: 'run a command of an app, in its files and environment',
    load: async () => (await import('./commands/run.ts')).run,
  },
  emit: {
    args: '<target> <file>',
    summary: 'print the configuration of a server that runs an archive',
    load: async () => (await import('./commands/emit.ts')).emit,
  },
  deploy: {
    args: '<file>',
    summary: 'upload an archive to a host, which starts it and switches to it',
    load: async () => (await import('./commands/deploy.ts')).deploy,
  },
  undeploy: {
    args: '<app>',
    summary: 'end an app of a host and forget its versions',
    load: async () => (await import('./commands/undeploy.ts')).undeploy,
  },
  list: {
    args: '',
    summary: 'show the apps of a host',
    load: async () => (await import('./commands/list.ts')).list,
  },
  rollback: {
    args: '<app> [version]',
    summary: 'go back to a version that a host keeps',
    load: async () => (await import('./commands/rollback.ts')).rollback,
  },
  logs: {
    args: '<app>',
    summary: 'show what an app of a host printed',
    load: async () => (await import('./commands/logs.ts')).logs,
  },
  completion: {
    args: '<shell>',
    summary: 'print what makes a shell complete zapp',
    load: async () => (await import('./commands/completion.ts')).completion,
  },
}

/** Loads a command and tells commander its arguments, options and help. */
export async function defineCommand(command: Command, { args, summary, load }: CommandRow): Promise<CliCommand> {
  const file = await load()
  if (args !== '') command.arguments(args)
  command.description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
  file.define(command)
  command.option('--debug', 'show the stack of an error')
  return file
}
