import type { Screens } from '../interaction-contract.ts';
import { deviceSuccessScreen, userCodeConfirmScreen, userCodeInputScreen } from './device.ts';
import { errorScreen } from './failure.ts';
import type { Look } from './page.ts';
import { logoutScreen, postLogoutScreen } from './sign-out.ts';

/** The pages the protocol shows by itself. */
export function createScreens(look: Look): Screens {
  return {
    renderError: (facts) => errorScreen(look, facts),
    userCodeInput: (facts) => userCodeInputScreen(look, facts),
    userCodeConfirm: (facts) => userCodeConfirmScreen(look, facts),
    deviceSuccess: (facts) => deviceSuccessScreen(look, facts),
    logout: (facts) => logoutScreen(look, facts),
    postLogout: (facts) => postLogoutScreen(look, facts),
  };
}
