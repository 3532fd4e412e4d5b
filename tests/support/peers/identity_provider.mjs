// An identity provider on node-oidc-provider (panva), certified for OpenID Connect: strict, with PKCE demanded.
// Arguments: folder of the packages, port, address of the console, id and secret of its client.
// POST /rotate-keys signs with a new key from then on; the one before is withdrawn.
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { generateKeyPairSync } from "node:crypto";

const [modules, port, consoleUrl, clientId, clientSecret] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));
const issuer = `http://localhost:${port}`;
const GROUPS = { elena: ["staff"], radu: ["everybody"] };
let keys = 0;

function newKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid: `key-${(keys += 1)}`, use: "sig", alg: "RS256" };
}

function page(body) {
  return `<!DOCTYPE html><html lang="en"><title>Identity provider</title><body>${body}</body></html>`;
}

async function grantEverything(ctx) {
  const { provider, session, client } = ctx.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope("openid profile");
  await grant.save();
  return grant;
}

function openProvider() {
  const opened = new Provider(issuer, {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [`${consoleUrl}/console/openid/callback`],
        post_logout_redirect_uris: [`${consoleUrl}/console/sign-in`],
        backchannel_logout_uri: `${consoleUrl}/console/openid/logout`,
        backchannel_logout_session_required: true,
      },
    ],
    jwks: { keys: [newKey()] },
    cookies: { keys: ["for the tests only"] },
    claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
    conformIdTokenClaims: false,
    // Without its own dispatcher, which refuses addresses of this machine: the console under test has one.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    clientAuthMethods: ["client_secret_basic"],
    pkce: { required: () => true },
    findAccount: (ctx, sub) => ({
      accountId: sub,
      claims: () => ({ sub, preferred_username: sub, groups: GROUPS[sub] ?? [] }),
    }),
    loadExistingGrant: grantEverything,
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = page(`${form}<button form="op.logoutForm" name="logout" value="yes">Sign out</button>`);
        },
      },
    },
  });
  opened.on("backchannel.error", (ctx, error) => console.error("back-channel logout:", error));
  return opened;
}

async function signIn(request, response) {
  if (request.method === "GET") {
    const form = '<form method="post"><label>Name <input name="login"></label><button>Sign in</button></form>';
    return response.setHeader("Content-Type", "text/html").end(page(form));
  }
  let body = "";
  for await (const part of request) body += part;
  const login = { accountId: new URLSearchParams(body).get("login") };
  return provider.interactionFinished(request, response, { login });
}

let provider = openProvider();
createServer((request, response) => {
  if (request.url.startsWith("/interaction/")) return signIn(request, response);
  if (request.url === "/rotate-keys") {
    provider = openProvider();
    return response.end();
  }
  return provider.callback()(request, response);
}).listen(Number(port), "127.0.0.1");
