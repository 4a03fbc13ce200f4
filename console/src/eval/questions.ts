/**
 * Questions as people write them, one a line: the question, the title that must be found, the article; apart by a tab
 * (as pasted from a spreadsheet) or a bar. Without a title the question must be refused. Lines of JSON stay as they are.
 */
export function questionLines(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => (line.startsWith('{') ? line : JSON.stringify(questionOf(line))))
    .join('\n');
}

function questionOf(line: string): { question: string; gold: { title: string; article?: string }[] } {
  const [question = '', title = '', article = ''] = line.split(/\t|\||｜/).map((part) => part.trim());
  return { question, gold: title ? [{ title, ...(article ? { article } : {}) }] : [] };
}
