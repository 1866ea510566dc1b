/* src/sentinelctl/commands.h - what an operator can ask for; one file each.
 *
 * argv[0] is the subcommand's name. The result is the exit code: 0, 1 when the answer is no or does not come,
 * 2 when the question was wrong. */
#ifndef SENTINEL_SENTINELCTL_COMMANDS_H
#define SENTINEL_SENTINELCTL_COMMANDS_H

#define DEFAULT_SERVER "http://127.0.0.1:9201"
#define FLAG_SERVER(variable)                                                                                \
    { "--server", "URL", "sentineld to ask (" DEFAULT_SERVER ")", FLAG_TEXT, &(variable) }

int status_main(int argc, char **argv);
int mode_main(int argc, char **argv);
int incidents_main(int argc, char **argv);
int actions_main(int argc, char **argv);
int incident_main(int argc, char **argv);
int check_main(int argc, char **argv);
int helper_main(int argc, char **argv);
int backtest_main(int argc, char **argv);
int forest_main(int argc, char **argv);

#endif
