// Bundles src/ and server/ into classic scripts (the host loads no ES modules), each stamped with a hash of its folder.
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { build } from "esbuild";

function stamp(folder) {
  const hash = createHash("sha256");
  for (const name of readdirSync(folder).sort()) {
    hash.update(name + "\0").update(readFileSync(`${folder}/${name}`));
  }
  return `// Built from dashboard/${folder} (${hash.digest("hex").slice(0, 16)}): change that, then npm run build.`;
}

const both = { bundle: true, format: "iife", target: "es2020", charset: "ascii" };
mkdirSync("dist", { recursive: true });
copyFileSync("src/style.css", "dist/style.css");
await build({
  ...both,
  entryPoints: ["src/index.tsx"],
  outfile: "dist/index.js",
  alias: { react: "./src/react.ts" },
  banner: { js: stamp("src") },
});
for (const name of ["server.html", "server.css"]) copyFileSync(`server/${name}`, `dist/${name}`);
copyFileSync("node_modules/preact/LICENSE", "dist/preact-license.txt");
await build({
  ...both,
  entryPoints: ["server/shell.ts"],
  outfile: "dist/server.js",
  minify: true,
  banner: { js: `${stamp("server")}\n// Holds Preact, whose licence is preact-license.txt.` },
});
