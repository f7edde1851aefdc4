import { type CliCommand, helpText } from '../command.ts'
import { bashCompletion } from '../completion-bash.ts'
import { fishCompletion } from '../completion-fish.ts'
import { completionModel } from '../completion-model.ts'
import { zshCompletion } from '../completion-zsh.ts'
import { EXIT } from '../exit-codes.ts'

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }

export const completion: CliCommand<[shell: keyof typeof SHELLS], object> = {
  define(command) {
    command.registeredArguments[0]?.choices(Object.keys(SHELLS))
    command.addHelpText(
      'after',
      helpText(
        ['Prints a script for bash, zsh (where it stands behind compinit) or fish.'],
        ['eval "$(zapp completion bash)"', 'in ~/.bashrc'],
        ['eval "$(zapp completion zsh)"', 'in ~/.zshrc'],
        ['zapp completion fish > ~/.config/fish/completions/zapp.fish', 'once'],
      ),
    )
  },

  async run(ui, [shell]) {
    ui.out(SHELLS[shell](await completionModel()).trimEnd())
    return EXIT.done
  },
}
