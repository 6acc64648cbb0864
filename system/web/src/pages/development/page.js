(function () {
  var button = document.getElementById("copy"), text = document.getElementById("markdown"), label = button.textContent;
  function told(word) {
    button.textContent = word;
    button.classList.add("done");
    setTimeout(function () { button.textContent = label; button.classList.remove("done"); }, 1600);
  }
  // Only a page from this machine or over TLS may use the clipboard's own interface.
  function selected() {
    text.hidden = false;
    text.select();
    var copied = document.execCommand("copy");
    text.hidden = true;
    told(copied ? "Copied" : "Not allowed");
  }
  function copy() {
    if (!navigator.clipboard) return selected();
    navigator.clipboard.writeText(text.value).then(function () { told("Copied"); }, selected);
  }
  button.addEventListener("click", copy);
  var log = document.querySelector(".log");
  if (log) log.scrollTop = log.scrollHeight;
})();
