/** The compiler, as a user has it set up. */
import ts from "typescript";

const { Bundler, Node16, NodeNext } = ts.ModuleResolutionKind;

const SETTINGS = {
  node16: { module: ts.ModuleKind.Node16, moduleResolution: Node16 },
  nodenext: { module: ts.ModuleKind.NodeNext, moduleResolution: NodeNext },
  bundler: { module: ts.ModuleKind.ESNext, moduleResolution: Bundler },
};

/**
 * What the compiler says to programs, and to the declarations of this package that they import; other packages'
 * declarations are theirs.
 */
export function typeErrors(files, resolution) {
  const program = ts.createProgram(files, {
    ...SETTINGS[resolution],
    target: ts.ScriptTarget.ES2022,
    strict: true,
    noEmit: true,
    types: [],
  });
  const ours = program
    .getSourceFiles()
    .filter(
      ({ fileName }) => files.includes(fileName) || /langgraph-postgres\/dist/.test(fileName),
    );
  return ours.flatMap((source) =>
    [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText, start = 0 }) => {
        const { line } = source.getLineAndCharacterOfPosition(start);
        return `${source.fileName}:${line + 1}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
      },
    ),
  );
}
