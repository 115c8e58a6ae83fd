import { HttpModel } from "./http_model.js";
import { WebModel } from "./web_model.js";

/** Back ends by the name that the page's settings give: the process of `musae play`, or none. */
export const BACKENDS = {
  http: (setup) => new HttpModel(setup),
  web: (setup) => new WebModel(setup),
};

/** Read the settings that were written into the page. */
export function readSetup() {
  return JSON.parse(document.getElementById("setup").textContent);
}

/** @returns {import("./model.js").Model} the model that the settings of the page name */
export function createModel(setup) {
  return BACKENDS[setup.backend](setup);
}
