// The front page while the browser's client is not here: goes on by itself when it is.
const notice = document.getElementById("client-notice");

async function look() {
  const answer = await fetch("/assets/phoenix.mjs", { cache: "no-store" }).catch(() => null);
  if (answer?.ok) location.reload();
  else if (answer) notice.textContent = await answer.text();
}

if (notice) setInterval(look, 2000);
