// Bundles src/index.tsx into one classic script (the host loads no ES modules) and stamps it with a hash of src/.
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { build } from "esbuild";

const hash = createHash("sha256");
for (const name of readdirSync("src").sort()) {
  hash.update(name + "\0").update(readFileSync(`src/${name}`));
}

mkdirSync("dist", { recursive: true });
copyFileSync("src/style.css", "dist/style.css");
await build({
  entryPoints: ["src/index.tsx"],
  outfile: "dist/index.js",
  bundle: true,
  format: "iife",
  target: "es2020",
  charset: "ascii",
  alias: { react: "./src/react.ts" },
  banner: { js: `// Built from dashboard/src (${hash.digest("hex").slice(0, 16)}): change that, then npm run build.` },
});
