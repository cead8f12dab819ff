/** What this program calls itself towards the receiver and to people. */
export const VERSION = "0.1.0";
