import type { Command, Option } from 'commander';

export type Shell = 'bash' | 'zsh' | 'fish';

interface Node {
  /** Words that lead here, without the program's name. */
  readonly path: readonly string[];
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly Option[];
  /** What the command's arguments may be, where that is known. */
  readonly choices: readonly string[];
}

/** A completion script for the whole command tree; all of it is known when it is generated. */
export function toCompletionScript(program: Command, shell: Shell): string {
  const nodes = collectNodes(program, []);
  if (shell === 'fish') return toFish(nodes);
  return shell === 'bash' ? toBash(nodes) : toZsh(nodes);
}

function collectNodes(command: Command, path: readonly string[]): readonly Node[] {
  const commands = command.commands.flatMap((child) =>
    [child.name(), ...child.aliases()].map((name) => ({
      name,
      summary: child.summary() || child.description(),
      child,
    })),
  );
  const choices = command.registeredArguments.flatMap((argument) => argument.argChoices ?? []);
  const own: Node = { path, commands, options: visibleOptions(command), choices };
  return [own, ...commands.flatMap(({ child, name }) => collectNodes(child, [...path, name]))];
}

function visibleOptions(command: Command): readonly Option[] {
  const help = command.createHelp();
  help.showGlobalOptions = true;
  return [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)];
}

function flagsOf(options: readonly Option[]): string[] {
  return options.flatMap((option) => [option.long ?? [], option.short ?? []].flat());
}

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

/** For each place in the tree, a line of a `case`: what may follow. */
function toCases(nodes: readonly Node[]): string {
  return nodes
    .map(({ path, commands, options, choices }) => {
      const words = [...commands.map(({ name }) => name), ...choices, ...flagsOf(options)];
      return `    ${quote(path.join(' '))}) words=${quote(words.join(' '))} ;;`;
    })
    .join('\n');
}

/** After an option that takes a value: its choices, or file names when it has none. */
function toValueCases(nodes: readonly Node[]): string {
  const byFlag = new Map<string, readonly string[]>();
  for (const option of nodes.flatMap((node) => node.options)) {
    if (!takesValue(option)) continue;
    for (const flag of flagsOf([option])) byFlag.set(flag, option.argChoices ?? []);
  }
  return [...byFlag]
    .map(([flag, choices]) =>
      choices.length > 0
        ? `    ${flag}) values=${quote(choices.join(' '))}; takes=1 ;;`
        : `    ${flag}) takes=1 ;;`,
    )
    .join('\n');
}

/** Every place that has commands below it, to find where the cursor is. */
function toPlaces(nodes: readonly Node[]): string {
  const known = nodes.map(({ path }) => quote(path.join(' '))).filter((path) => path !== "''");
  return known.join('|');
}

function toBash(nodes: readonly Node[]): string {
  return `# portolan completion for bash: source <(portolan completion bash)
_portolan_value() {
  values='' takes=''
  case "$1" in
${toValueCases(nodes)}
  esac
}
_portolan() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" place='' words='' values='' takes='' at word next
  COMPREPLY=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    word="\${COMP_WORDS[at]}"
    [[ "$word" == '--' ]] && { compopt -o default; return; }
    _portolan_value "$word"
    if [[ -n "$takes" ]]; then ((at++)); continue; fi
    next="\${place:+$place }$word"
    case "$next" in
      ${toPlaces(nodes)}) place="$next" ;;
    esac
  done
  _portolan_value "\${COMP_WORDS[COMP_CWORD-1]}"
  if [[ -n "$takes" && COMP_CWORD -gt 1 ]]; then
    if [[ -n "$values" ]]; then COMPREPLY=($(compgen -W "$values" -- "$cur")); else compopt -o default; fi
    return
  fi
  case "$place" in
${toCases(nodes)}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _portolan portolan
`;
}

function toZsh(nodes: readonly Node[]): string {
  return `#compdef portolan
# portolan completion for zsh: source <(portolan completion zsh)
_portolan_value() {
  values='' takes=''
  case "$1" in
${toValueCases(nodes)}
  esac
}
_portolan() {
  local place='' list='' values='' takes='' next
  integer at
  for ((at = 2; at < CURRENT; at++)); do
    [[ "\${words[at]}" == '--' ]] && { _files; return }
    _portolan_value "\${words[at]}"
    if [[ -n "$takes" ]]; then ((at++)); continue; fi
    next="\${place:+$place }\${words[at]}"
    case "$next" in
      ${toPlaces(nodes)}) place="$next" ;;
    esac
  done
  _portolan_value "\${words[CURRENT-1]}"
  if [[ -n "$takes" && CURRENT -gt 2 ]]; then
    if [[ -n "$values" ]]; then compadd -- \${=values}; else _files; fi
    return
  fi
  case "$place" in
${toCases(nodes).replaceAll(') words=', ') list=')}
  esac
  compadd -- \${=list}
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _portolan portolan
`;
}

function toFish(nodes: readonly Node[]): string {
  const lines = ['# portolan completion for fish: portolan completion fish | source'];
  lines.push('complete -c portolan -f');
  for (const { path, commands, options, choices } of nodes) {
    const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ');
    const names = commands.map(({ name }) => name).join(' ');
    const unseen = names === '' ? '' : `not __fish_seen_subcommand_from ${names}`;
    const condition = [seen, unseen].filter((part) => part !== '').join('; and ');
    const when = condition === '' ? '' : ` -n ${quote(condition)}`;
    for (const { name, summary } of commands) {
      lines.push(`complete -c portolan${when} -a ${name} -d ${quote(summary)}`);
    }
    if (choices.length > 0) {
      lines.push(`complete -c portolan -n ${quote(seen)} -a ${quote(choices.join(' '))}`);
    }
    for (const option of options) {
      const long = option.long ? ` -l ${option.long.slice(2)}` : '';
      const short = option.short ? ` -s ${option.short.slice(1)}` : '';
      const value = !takesValue(option)
        ? ''
        : option.argChoices
          ? ` -x -a ${quote(option.argChoices.join(' '))}`
          : ' -r -F';
      const place = seen === '' ? '' : ` -n ${quote(seen)}`;
      lines.push(
        `complete -c portolan${place}${long}${short}${value} -d ${quote(option.description)}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
