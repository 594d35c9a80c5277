/** The `@example` blocks of what src/index.ts exports, as its source files have them. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import { repository } from "./programs.ts";

export interface Example {
  /** `PostgresCheckpointStore.save`. */
  readonly name: string;
  readonly code: string;
}

export interface PublicSymbol {
  readonly name: string;
  readonly kind: "class" | "function" | "other";
  readonly examples: readonly Example[];
}

/** Half of a public class that is not exported by itself: its comments are the class's. */
const BASES: Readonly<Record<string, string>> = {
  PostgresCheckpointStore: "store-maintenance.ts: StoreMaintenance",
};

const parse = (file: string): ts.SourceFile =>
  ts.createSourceFile(
    file,
    readFileSync(join(repository, "src", file), "utf8"),
    ts.ScriptTarget.ES2023,
    true,
  );

type Named = ts.Statement & { readonly name?: ts.Identifier };

/** Every symbol that users can import. */
export function publicSymbols(): PublicSymbol[] {
  return parse("index.ts").statements.flatMap((statement) => {
    if (!ts.isExportDeclaration(statement) || !statement.moduleSpecifier) return [];
    const file = (statement.moduleSpecifier as ts.StringLiteral).text.slice(2);
    const names =
      statement.exportClause && ts.isNamedExports(statement.exportClause)
        ? statement.exportClause.elements.map(({ name }) => name.text)
        : undefined;
    return symbolsOf(file, names);
  });
}

/** The exported declarations of a file, or those of these names; what it passes on is followed. */
function symbolsOf(file: string, names: readonly string[] | undefined): PublicSymbol[] {
  const source = parse(file);
  return source.statements.flatMap((statement): PublicSymbol[] => {
    if (ts.isExportDeclaration(statement) && statement.moduleSpecifier) {
      const from = (statement.moduleSpecifier as ts.StringLiteral).text;
      const passed = (statement.exportClause as ts.NamedExports).elements
        .map(({ name }) => name.text)
        .filter((name) => names?.includes(name));
      return passed.length === 0 ? [] : symbolsOf(join(dirname(file), from), passed);
    }
    const name = nameOf(statement);
    const isExported =
      ts.canHaveModifiers(statement) &&
      ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
    if (name === undefined || !isExported || (names && !names.includes(name))) return [];
    const kind = ts.isClassDeclaration(statement)
      ? "class"
      : ts.isFunctionDeclaration(statement)
        ? "function"
        : "other";
    return [{ name, kind, examples: [...examplesOf(statement, name), ...ofBase(name)] }];
  });
}

function nameOf(statement: ts.Statement): string | undefined {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations[0]?.name.getText();
  }
  return (statement as Named).name?.text;
}

function ofBase(name: string): Example[] {
  const [file, base] = BASES[name]?.split(": ") ?? [];
  if (file === undefined || base === undefined) return [];
  const found = parse(file).statements.find((statement) => nameOf(statement) === base);
  return found ? examplesOf(found, name) : [];
}

function examplesOf(node: ts.Node, name: string): Example[] {
  const own = ts
    .getJSDocTags(node)
    .filter(({ tagName }) => tagName.text === "example")
    .map((tag) => {
      const text = ts.getTextOfJSDocComment(tag.comment) ?? "";
      return { name, code: /```ts\n(.*?)```/s.exec(text)?.[1] ?? text };
    });
  const members: readonly ts.Node[] =
    ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node) ? [...node.members] : [];
  return [
    ...own,
    ...members.flatMap((member) => {
      const part = (member as ts.ClassElement).name?.getText() ?? "constructor";
      return examplesOf(member, `${name}.${part}`);
    }),
  ];
}
