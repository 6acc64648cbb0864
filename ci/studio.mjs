// The studio as a process of its own, for scripts that try it: started, ended, started again on the same port and data.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let failed = 0;

/** Prints a line for a check. */
export function check(what, passed, fact = "") {
  console.log(`${passed ? "ok  " : "FAIL"}  ${what}${fact ? `: ${fact}` : ""}`);
  if (!passed) failed += 1;
}

/** What this process is to end with. */
export const exit_code = () => (failed === 0 ? 0 : 1);

export class Studio {
  /** `env` is what its environment has besides ours; STUDIO names the program. */
  constructor(env = {}) {
    this.data = mkdtempSync(join(tmpdir(), "studio-"));
    this.env = { ...process.env, ...env, STUDIO_DATA: this.data };
    this.port = 0;
  }

  /** Starts it, on a free port the first time and on the same one later. */
  start() {
    return new Promise((started, failed) => {
      this.child = spawn(process.env.STUDIO, ["--port", `${this.port}`], { env: this.env, stdio: ["ignore", "pipe", "inherit"] });
      this.child.on("error", failed);
      this.child.stdout.on("data", (said) => {
        const found = /running at http:\/\/localhost:(\d+)/.exec(said);
        if (!found) return;
        this.port = Number(found[1]);
        started();
      });
      this.child.on("exit", (code) => failed(new Error(`the studio has ended with ${code}`)));
    });
  }

  /** Sends it a signal that ends it: with what it has ended. */
  end(signal) {
    return new Promise((ended) => {
      this.child.removeAllListeners("exit");
      this.child.on("exit", (code) => ended(code));
      this.child.kill(signal);
    });
  }

  /** What it has kept is thrown away. */
  forget() {
    rmSync(this.data, { recursive: true, force: true });
  }
}
