/** The tree of a text from the paths of its passages: "第二章 > 第一节" and the article. */
import type { Passage } from '../shared/api';

export interface Node {
  label: string;
  id: string;
  children: Node[];
  /** The passage that a click opens: the node's own, or the first below it. */
  passage: Passage;
}

export function structure(passages: Passage[]): Node[] {
  const root: Node[] = [];
  for (const passage of passages) {
    let level = root;
    let trail = '';
    const steps = passage.path.split('>').map((step) => step.trim()).filter((step) => step);
    if (passage.article && passage.article !== steps[steps.length - 1]) steps.push(passage.article);
    for (const label of steps) {
      trail += `/${label}`;
      let node = level.find((one) => one.label === label);
      if (!node) {
        node = { label, id: `${trail}#${passage.id}`, children: [], passage };
        level.push(node);
      }
      level = node.children;
    }
  }
  return root;
}
