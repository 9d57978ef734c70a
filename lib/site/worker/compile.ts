/**
 * A cell → a script that can be run after others: TypeScript's types go (sucrase, which keeps every line
 * where it is), and what stands at the top becomes an assignment to a name of the page's scope, so that the
 * next cell finds it. As in a notebook, a name may be declared again, `await` may stand at the top, and the
 * last expression is the cell's result.
 *
 * Types are not checked. Not understood: `export`, and imports of anything but the library.
 */
import { parse, type Pattern, type Program } from "acorn";
import { transform } from "sucrase";

export interface Script {
  code: string;
  /** Names that the cell declares at the top. */
  names: string[];
  /** Those that may not be assigned to later. */
  constants: string[];
}

/** What is wrong with a cell's text, and where: lines from 1, columns from 1. */
export class CellError extends Error {
  constructor(message: string, readonly line: number, readonly column: number) {
    super(message);
    this.name = "SyntaxError";
  }
}

/** Of what the script is given, in its own words: no cell writes these by accident. */
export const SCOPE = "$scope", IMPORT = "$import";

/** @throws CellError */
export function compile(source: string): Script {
  const js = withoutTypes(source);
  const body = parsed(js).body;
  const edits: { from: number; to: number; text: string }[] = [];
  const names: string[] = [], constants: string[] = [];
  let hoisted = "";
  const put = (from: number, to: number, text: string) => edits.push({ from, to, text });
  const blank = (from: number, to: number) => js.slice(from, to).replace(/[^\n]/g, "");

  body.forEach((statement, i) => {
    const { start, end } = statement;
    const at = () => position(js, start);
    switch (statement.type) {
      case "ImportDeclaration": {
        const specifier = JSON.stringify(statement.source.value);
        const parts = statement.specifiers.map((each) => {
          names.push(each.local.name);
          constants.push(each.local.name);
          if (each.type === "ImportNamespaceSpecifier") return `${each.local.name} = ${IMPORT}(${specifier})`;
          const imported = each.type === "ImportDefaultSpecifier"
            ? "default"
            : each.imported.type === "Identifier"
            ? each.imported.name
            : String(each.imported.value);
          return `${each.local.name} = ${IMPORT}(${specifier}, ${JSON.stringify(imported)})`;
        });
        put(start, end, `;${parts.join("; ") || `${IMPORT}(${specifier})`};${blank(start, end)}`);
        break;
      }
      case "VariableDeclaration": {
        const { declarations, kind } = statement;
        for (const { id } of declarations) {
          const found = namesIn(id);
          names.push(...found);
          if (kind !== "let" && kind !== "var") constants.push(...found);
        }
        put(start, declarations[0].start, `;${blank(start, declarations[0].start)}`);
        for (const declaration of declarations) {
          put(declaration.start, declaration.start, "(");
          put(declaration.end, declaration.end, declaration.init ? ")" : " = undefined)");
        }
        break;
      }
      case "FunctionDeclaration":
        names.push(statement.id.name);
        hoisted += `${SCOPE}.${statement.id.name} = ${statement.id.name};`;
        break;
      case "ClassDeclaration":
        names.push(statement.id.name);
        put(start, start, `;(${statement.id.name} = `);
        put(end, end, ");");
        break;
      case "ExpressionStatement":
        if (i < body.length - 1) break;
        put(start, start, ";return (");
        put(statement.expression.end, statement.expression.end, ")");
        break;
      case "ExportNamedDeclaration":
      case "ExportDefaultDeclaration":
      case "ExportAllDeclaration":
        throw new CellError("a cell exports nothing: leave the word out", at().line, at().column);
    }
  });
  return { code: wrapped(applied(js, edits), hoisted), names: [...new Set(names)], constants };
}

/** One line above the cell's own would move every line that an error names. */
function wrapped(body: string, hoisted: string): string {
  return `(function (${SCOPE}, ${IMPORT}) { with (${SCOPE}) { return (async () => { "use strict"; ${hoisted} ${body}\n})(); } })`;
}

function withoutTypes(source: string): string {
  try {
    return transform(source, {
      transforms: ["typescript"],
      disableESTransforms: true,
      keepUnusedImports: true,
    })
      .code;
  } catch (error) {
    throw located(error as Error);
  }
}

function parsed(js: string): Program {
  try {
    return parse(js, { ecmaVersion: "latest", sourceType: "module", allowAwaitOutsideFunction: true });
  } catch (error) {
    throw located(error as Error);
  }
}

/**
 * Both parsers end their messages with "(line:column)", lines from 1; sucrase counts columns from 1, acorn
 * from 0 and in `loc` besides.
 */
function located(error: Error): CellError {
  const [, line, column] = /\((\d+):(\d+)\)\s*$/.exec(error.message) ?? [];
  const acorn = "loc" in error && "raisedAt" in error;
  const message = error.message.replace(/^Error transforming [^:]*: /, "").replace(/\s*\(\d+:\d+\)\s*$/, "");
  return new CellError(message, Number(line ?? 1), Number(column ?? 0) + (acorn ? 1 : 0));
}

function position(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length, column: before.at(-1)!.length + 1 };
}

function namesIn(pattern: Pattern): string[] {
  switch (pattern.type) {
    case "Identifier":
      return [pattern.name];
    case "ObjectPattern":
      return pattern.properties.flatMap((each) =>
        namesIn(each.type === "RestElement" ? each.argument : each.value)
      );
    case "ArrayPattern":
      return pattern.elements.flatMap((each) => each ? namesIn(each) : []);
    case "AssignmentPattern":
      return namesIn(pattern.left);
    case "RestElement":
      return namesIn(pattern.argument);
    default:
      return [];
  }
}

/** Edits in the order in which they were noted where they begin at the same place. */
function applied(text: string, edits: { from: number; to: number; text: string }[]): string {
  const sorted = edits.map((edit, i) => ({ ...edit, i })).sort((a, b) => a.from - b.from || a.i - b.i);
  let result = "", done = 0;
  for (const { from, to, text: inserted } of sorted) {
    result += text.slice(done, from) + inserted;
    done = to;
  }
  return result + text.slice(done);
}
