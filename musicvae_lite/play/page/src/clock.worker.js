// Ticks where no page is throttled: timers of hidden tabs run once a second, those of workers do not.
const EVERY_MS = 25;
let timer = null;
onmessage = ({ data }) => {
  clearInterval(timer);
  timer = data === "start" ? setInterval(() => postMessage("tick"), EVERY_MS) : null;
};
