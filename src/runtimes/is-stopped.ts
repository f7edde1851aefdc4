import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/** Whether a process was stopped by a signal (SIGSTOP) or by who traces it (gdb, strace): T and t in proc_pid_stat(5) and ps(1). */
export async function isStopped(pid: number): Promise<boolean> {
  const state = process.platform === 'linux' ? stateInProc(pid) : stateOfPs(pid)
  return /^t/i.test(await state.catch(() => ''))
}

async function stateInProc(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1')
  // Field 3, behind the program's name in brackets, which may hold spaces and brackets itself.
  return text.slice(text.lastIndexOf(')') + 2)
}

async function stateOfPs(pid: number): Promise<string> {
  return (await promisify(execFile)('ps', ['-o', 'state=', '-p', String(pid)])).stdout.trim()
}
