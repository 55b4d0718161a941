// SPDX-License-Identifier: Apache-2.0
// How the scripts and style sheets of the pages are linted; what is declared where, tsc knows better.

import css from "@eslint/css";
import js from "@eslint/js";

// A name of a slice or a model is data: nothing may make markup or a program of it.
const MARKUP = [
  ...["innerHTML", "outerHTML", "insertAdjacentHTML", "srcdoc"].map((property) => ({ property })),
  { object: "document", property: "write" },
];

export default [
  {
    files: ["component/**/*.js"],
    ...js.configs.recommended,
    languageOptions: { ecmaVersion: 2023, sourceType: "script" },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      ...js.configs.recommended.rules,
      // The files of a page are one script, in which tsc finds what is not declared.
      "no-undef": "off",
      "no-unused-vars": ["error", { vars: "local" }],
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-restricted-properties": ["error", ...MARKUP],
      "no-var": "error",
      "prefer-const": "error",
      eqeqeq: "error",
      "max-lines": ["error", 400],
      "max-lines-per-function": ["error", 40],
      complexity: ["error", 12],
    },
  },
  {
    files: ["component/**/*.css"],
    plugins: { css },
    language: "css/css",
    rules: {
      ...css.configs.recommended.rules,
      // What is hidden stays so, and paper has no controls, whatever else says how they are shown.
      "css/no-important": "off",
      // Colours come from benison/report/look.py.
      "css/no-invalid-properties": ["error", { allowUnknownVariables: true }],
      // A browser of 2023 shows the pages; without these they are as good on a screen.
      "css/use-baseline": [
        "error",
        {
          available: 2023,
          allowAtRules: ["page"],
          allowProperties: ["accent-color", "paint-order", "print-color-adjust", "user-select"],
          allowPropertyValues: { "font-family": ["ui-monospace"] },
          allowSelectors: ["marker"],
        },
      ],
    },
  },
];
