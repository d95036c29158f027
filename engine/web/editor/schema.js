// What may stand where in a file of the rules: the path of the cursor by indentation, and what the schema has for it.

/** The step into an entry of a list. */
const ENTRY = Symbol("entry");

/** Offers keys and values under a schema; `titles` says what people call the names among them. */
export function offer({ schema, titles = {} }, context) {
  const at = standing(context.state.doc, context.pos);
  if (!at || (!context.explicit && !at.typed)) return null;
  const nodes = at.path.reduce((nodes, step) => nodes.flatMap((node) => inside(node, step)), ways(schema));
  const found = new Map();
  for (const node of nodes) {
    if (at.mayBeKey) {
      for (const key of Object.keys(node.properties ?? {})) found.set(key, { label: key, type: "property", apply: key + colon(node.properties[key]) });
      for (const name of node.propertyNames?.enum ?? []) found.set(name, { label: name, detail: titles[name], type: "property", apply: name + colon(node.additionalProperties) });
    }
    if (at.mayBeValue) {
      for (const value of node.enum ?? (node.type === "boolean" ? [true, false] : [])) {
        found.set(`${value}`, { label: `${value}`, detail: titles[value], type: "enum" });
      }
    }
  }
  if (!found.size) return null;
  return { from: context.pos - at.typed.length, options: [...found.values()], validFor: /^[^\s:,[\]{}#"']*$/ };
}

/** What stands behind a key: its value goes on in the line, unless it can only be rows or a list. */
function colon(value) {
  return [value?.type].flat().some((type) => type === "object" || type === "array") && ![value.type].flat().includes("string") ? ":" : ": ";
}

/** A schema, and what it is in either case of a condition. */
function ways(node) {
  if (!node || typeof node !== "object") return [];
  return [node, ...ways(node.then), ...ways(node.else)];
}

function inside(node, step) {
  if (step === ENTRY) return ways(node.items);
  return ways(Object.hasOwn(node.properties ?? {}, step) ? node.properties[step] : node.additionalProperties);
}

/** A line by its dashes, the column of what follows them, its key, and what stands behind that. */
function shape(text) {
  const [head, spaces, bullets] = /^( *)((?:- +)*)/.exec(text);
  const rest = text.slice(head.length);
  if (!rest.trim() || rest.startsWith("#")) return null;
  const dashes = [...bullets].flatMap((mark, index) => (mark === "-" ? [spaces.length + index] : []));
  const pair = /^(?:"([^"]*)"|'([^']*)'|([^\s"'#[{][^:#]*?)) *:(?: +(.*))?$/.exec(rest);
  const key = pair ? (pair[1] ?? pair[2] ?? pair[3]) : null;
  return { dashes, column: head.length, key, value: pair?.[4] ?? "" };
}

/** Where the cursor is: the steps that lead there, and what has been typed of it; nothing inside a longer text or a comment. */
function standing(doc, pos) {
  const line = doc.lineAt(pos);
  const before = line.text.slice(0, pos - line.from);
  if (/^\s*#|\s#/.test(before)) return null;
  const [head, spaces, bullets] = /^( *)((?:- +)*)/.exec(before);
  const rest = before.slice(head.length);
  const pair = /^(?:"([^"]*)"|'([^']*)'|([^\s"'#[{][^:#]*?)) *: +(.*)$/.exec(rest);
  const dashes = [...bullets].flatMap((mark, index) => (mark === "-" ? [spaces.length + index] : []));
  const above = ancestors(doc, line.number, head.length, dashes);
  if (!above) return null;
  const path = pair ? [...above, pair[1] ?? pair[2] ?? pair[3]] : above;
  const inner = between(pair ? pair[4] : rest);
  if (!inner) return null;
  const { steps, typed, inMap } = inner;
  const inBrackets = steps.length > 0 || inMap;
  return {
    path: [...path, ...steps],
    typed,
    mayBeKey: inBrackets ? inMap : !pair,
    mayBeValue: inBrackets ? !inMap : pair !== null || dashes.length > 0,
  };
}

/** The keys and lists round a line, by their columns. */
function ancestors(doc, number, column, dashes) {
  const path = [];
  let [edge, inList] = [column, false];
  const enter = (marks) => {
    for (const mark of [...marks].reverse()) {
      path.unshift(ENTRY);
      [edge, inList] = [mark, true];
    }
  };
  enter(dashes);
  for (let at = number - 1; at > 0 && (edge > 0 || inList); at--) {
    const one = shape(doc.line(at).text);
    if (!one) continue;
    const isRound = one.column < edge || (inList && one.column === edge && !one.dashes.length);
    if (one.key !== null && isRound) {
      if (/^[|>]/.test(one.value)) return null;
      path.unshift(one.key);
      [edge, inList] = [one.column, false];
      enter(one.dashes);
    } else if (!inList && one.dashes.length && one.column === edge) {
      enter(one.dashes);
    }
  }
  return path;
}

/** What has been opened in a value of one line, `[a, { b: c`, and the word that is being typed; nothing inside quotes. */
function between(text) {
  const open = [];
  let [typed, quote] = ["", null];
  for (const sign of text) {
    const last = open.at(-1);
    if (quote) quote = sign === quote ? null : quote;
    else if ((sign === '"' || sign === "'") && !typed.trim()) quote = sign;
    else if (!last && typed.trim()) typed += sign;
    else if (sign === "[" || sign === "{") {
      open.push({ isMap: sign === "{", key: null });
      typed = "";
    } else if (last && (sign === "]" || sign === "}")) open.pop();
    else if (last && sign === ",") [last.key, typed] = [null, ""];
    else if (last?.isMap && last.key === null && sign === ":") [last.key, typed] = [typed.trim(), ""];
    else typed += sign;
  }
  if (quote) return null;
  const inMap = Boolean(open.at(-1)?.isMap && open.at(-1).key === null);
  const steps = open.flatMap(({ isMap, key }) => (isMap ? (key === null ? [] : [key]) : [ENTRY]));
  return { steps, typed: typed.trimStart(), inMap };
}
