/** One command of a page, as a reader would run it. */
export interface DocumentedCommand {
  readonly line: number;
  readonly script: string;
  /** Goes on running; ready when its output holds this. */
  readonly background?: string;
  /** Its output has to hold this. */
  readonly expect?: string;
}

/** The `sh` blocks of a Markdown page, each with the comment that says what to look for. Blocks without one are not run. */
export function parseDocumentedCommands(markdown: string): DocumentedCommand[] {
  const lines = markdown.split('\n');
  const commands: DocumentedCommand[] = [];
  let note: { kind: string; text: string } | undefined;
  for (let at = 0; at < lines.length; at++) {
    const comment = /^<!-- (background|expect): (.*) -->$/.exec(lines[at] ?? '');
    if (comment) note = { kind: comment[1] as string, text: comment[2] as string };
    if (lines[at] !== '```sh') continue;
    const end = lines.indexOf('```', at + 1);
    if (note) {
      commands.push({
        line: at + 2,
        script: lines.slice(at + 1, end).join('\n'),
        ...(note.kind === 'background' ? { background: note.text } : { expect: note.text }),
      });
    }
    note = undefined;
    at = end;
  }
  return commands;
}
