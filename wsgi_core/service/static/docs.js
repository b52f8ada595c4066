// Swagger UI for the description of this service, in the mode of the system (dark or light).

const place = document.getElementById("swagger-ui");
const dark = matchMedia("(prefers-color-scheme: dark)");

function followSystem() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

dark.addEventListener("change", followSystem);
followSystem();
SwaggerUIBundle({ domNode: place, url: place.dataset.address, validatorUrl: null, defaultModelsExpandDepth: 0 });
