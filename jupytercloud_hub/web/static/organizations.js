// Shows the organizations that fit while one types; without this script the form does it on the server.
const plain = (text) => text.normalize("NFKD").replace(/\p{Diacritic}/gu, "").toLowerCase();

for (const input of document.querySelectorAll("input[data-filter]")) {
  const list = document.getElementById(input.dataset.filter);
  if (!list) continue;
  const none = document.getElementById("none");
  input.form.querySelector("button").hidden = true;
  input.addEventListener("input", () => {
    const words = plain(input.value).split(/\s+/);
    let shown = 0;
    for (const item of list.children) {
      const text = plain(`${item.textContent} ${item.querySelector("button").value}`);
      item.hidden = !words.every((word) => text.includes(word));
      shown += item.hidden ? 0 : 1;
    }
    none.hidden = shown > 0;
  });
}
