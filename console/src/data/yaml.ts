/** A pipeline as YAML. What it writes, the server reads back to the same; reading is the server's work. */
function scalar(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  const plain = /^[\p{L}_][\p{L}\p{N}_.\-/\[\]]*$/u.test(value) && !/^(true|false|null|yes|no|on|off|y|n|~)$/i.test(value);
  return plain ? value : JSON.stringify(value);
}

function simple(value: unknown): boolean {
  return value === null || typeof value !== 'object' || (Array.isArray(value) && value.length === 0);
}

export function yaml(value: unknown, indent = ''): string {
  if (Array.isArray(value))
    return value
      .map((one) => {
        if (simple(one)) return `${indent}- ${scalar(one)}\n`;
        const words = yaml(one, `${indent}  `);
        return `${indent}- ${words.slice(indent.length + 2)}`;
      })
      .join('');
  return Object.entries(value as Record<string, unknown>)
    .filter(([, one]) => one !== undefined)
    .map(([name, one]) => {
      if (simple(one)) return `${indent}${scalar(name)}: ${scalar(one)}\n`;
      if (Array.isArray(one) && one.every((item) => simple(item))) return `${indent}${scalar(name)}: [${one.map((item) => (typeof item === 'string' ? JSON.stringify(item) : scalar(item))).join(', ')}]\n`;
      return `${indent}${scalar(name)}:\n${yaml(one, `${indent}  `)}`;
    })
    .join('');
}
