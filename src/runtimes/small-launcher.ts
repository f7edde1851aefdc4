import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'
import type { Launch, LaunchEvents, Launcher } from './launcher.ts'
import { readLines } from './log-lines.ts'

/**
 * A small process, in Perl, that forks for this one: what a script takes is then mostly its own. It reads records from a pipe
 * and tells, a line each:
 *
 *     + id pid            it runs, and has its descriptors
 *     - id code signal    it has ended
 *     ? id errno          it could not be started
 */
export class SmallLauncher implements Launcher {
  readonly #running = new Map<string, LaunchEvents>()
  #helper: ChildProcess | undefined
  #next = 0

  start({ file, cwd, env, paths }: Launch, events: LaunchEvents): void {
    const id = String(this.#next++)
    this.#running.set(id, events)
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    // Nothing that a request brings holds a NUL: no header, no path.
    const record = Buffer.from(`....${[id, file, cwd, ...paths, ...variables].join('\0')}`)
    record.writeUInt32BE(record.length - 4)
    this.#helper ??= this.#open()
    this.#helper.stdin?.write(record)
  }

  /** It sees for itself. */
  forget(): void {}

  async close(): Promise<void> {
    const helper = this.#helper
    if (helper === undefined) return
    const ended = new Promise((resolve) => helper.once('exit', resolve))
    helper.stdin?.end()
    await ended
  }

  #open(): ChildProcess {
    // A session of its own: a Ctrl-C in the terminal is not for it. What the app's variables say to Perl neither.
    const { PATH } = process.env
    const helper = spawn('perl', ['-e', PROGRAM], {
      ...{ cwd: '/', env: { PATH }, detached: true, stdio: ['pipe', 'pipe', 'ignore'] },
    })
    helper.stdin?.on('error', () => {})
    if (helper.stdout) readLines(helper.stdout, (line) => this.#told(line))
    const gone = (error?: Error) => {
      if (this.#helper === helper) this.#helper = undefined
      for (const { failed } of this.#running.values()) failed(error ?? new Error('what starts the scripts was ended'))
      this.#running.clear()
    }
    helper.once('error', gone).once('exit', () => gone())
    for (const stream of [helper.stdin, helper.stdout] as unknown as Socket[]) stream.unref()
    helper.unref()
    return helper
  }

  #told(line: string): void {
    const [what, id = '', value, signal] = line.split(' ')
    const events = this.#running.get(id)
    if (what === '+') {
      events?.started(Number(value))
      return
    }
    this.#running.delete(id)
    if (what === '-') events?.exited(signal === '0' ? Number(value) : null, SIGNALS.get(Number(signal)) ?? null)
    else events?.failed(spawnError(Number(value)))
  }
}

const SIGNALS: ReadonlyMap<number, NodeJS.Signals> = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number, name as NodeJS.Signals]),
)

/** As `spawn` of node:child_process has them. */
function spawnError(errno: number): Error {
  const code = getSystemErrorName(-errno)
  return Object.assign(new Error(`spawn ${code}`), { code, errno: -errno, syscall: 'spawn' })
}

/**
 * A record: its length in four bytes, then between NULs: id, file, folder, three paths to open, variables. The end of the
 * input is the end of the process that asked, and of the groups that are left.
 */
const PROGRAM = String.raw`
use strict;
use Fcntl;
use POSIX ();

open my $answers, '>&', \*STDOUT or die;
open STDOUT, '>', '/dev/null' or die;
# Handlers that do nothing: a signal that is ignored would be ignored by the scripts too.
$SIG{CHLD} = $SIG{PIPE} = sub { };

# Groups by their leaders: with the id of a script that runs, and those that have others than that in them still.
my (%running, %left);
my $input = '';
while (1) {
  reap();
  vec(my $ready = '', 0, 1) = 1;
  # A script that has ended interrupts the wait; one that ends just before it is seen a little later.
  next if select($ready, undef, undef, %running ? 0.1 : undef) < 1;
  my $count = sysread STDIN, $input, 65536, length $input;
  next unless defined $count;
  last unless $count;
  while (length $input >= 4) {
    my $size = unpack 'N', $input;
    last if length $input < 4 + $size;
    start(split /\0/, substr($input, 4, $size), -1);
    substr($input, 0, 4 + $size) = '';
  }
}
# Who has not got as far as to lead a group is killed by itself.
kill KILL => keys %running, map { -$_ } keys %running, keys %left;

sub start {
  my ($id, $file, $folder, $in, $out, $err, @variables) = @_;
  my $pid;
  # Without waiting for who has the other ends: they may have gone.
  if (sysopen my $source, $in, O_RDONLY | O_NONBLOCK and sysopen my $output, $out, O_WRONLY | O_NONBLOCK
      and sysopen my $errors, $err, O_WRONLY | O_NONBLOCK and defined($pid = fork)) {
    if ($pid) {
      $running{$pid} = $id;
      return answer("+ $id $pid");
    }
    POSIX::setsid();
    fcntl $_, F_SETFL, 0 for $source, $output, $errors;
    %ENV = map { split /=/, $_, 2 } @variables;
    exec { $file } $file if chdir $folder and open STDIN, '<&', $source and open STDOUT, '>&', $output
      and open STDERR, '>&', $errors;
  }
  answer("? $id " . ($! + 0));
  exit if defined $pid;
}

sub reap {
  while ((my $pid = waitpid -1, POSIX::WNOHANG()) > 0) {
    my $id = delete $running{$pid};
    answer("- $id " . ($? >> 8) . ' ' . ($? & 127));
    $left{$pid} = 1 if kill 0, -$pid;
  }
  for (keys %left) { delete $left{$_} unless kill 0, -$_ }
}

sub answer { syswrite $answers, "$_[0]\n" }
`
