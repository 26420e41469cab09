/* SPDX-License-Identifier: MIT */
/*
 * completion.c: `quire completion`: a completion for each of three shells,
 * out of the command and the option table. After the options of `run` and
 * `doctor` comes a command, which each shell completes as it always does.
 */
#include <stdio.h>
#include <string.h>

#include "command.h"

static bool
takes_command(const struct command *command)
{
	return strstr(command->usage, "COMMAND") != NULL &&
	       command->usage[strlen(command->usage) - 1] != 's' &&
	       command->main != help_main;
}

/* Whether the next argument may be the option's value. */
static bool
takes_argument(const struct option_info *info)
{
	return info->kind != OPTION_KIND_FLAG &&
	       info->kind != OPTION_KIND_PERIOD;
}

/* The names of a choice with another separator. */
static void
print_names(const char *names, char separator)
{
	for (; *names != '\0'; names++)
		putchar(*names == '|' ? separator : *names);
}

static void
print_commands(void)
{
	for (const struct command *command = commands; command->name != NULL;
	     command++)
		printf("%s%s", command == commands ? "" : " ", command->name);
}

/* --- bash --- */

/* What may follow an option that has a value. */
static void
bash_values(const struct option_info *info)
{
	switch (info->kind) {
	case OPTION_KIND_CHOICE:
		printf("COMPREPLY=($(compgen -W '");
		print_names(info->operand, ' ');
		printf("' -- \"$word\"))");
		break;
	case OPTION_KIND_DIRECTORY:
		printf("COMPREPLY=($(compgen -d -W off -- \"$word\"))");
		break;
	case OPTION_KIND_FILE:
		printf("COMPREPLY=($(compgen -f -- \"$word\"))");
		break;
	case OPTION_KIND_COLUMNS:
		printf("_quire_columns");
		break;
	case OPTION_KIND_TEXT:
	case OPTION_KIND_SECONDS:
	case OPTION_KIND_PERIOD:
	case OPTION_KIND_FLAG:
	case OPTION_KIND_SIZE:
	case OPTION_KIND_BUDGET:
	case OPTION_KIND_NUMBER:
		printf("COMPREPLY=()");
		break;
	}
}

/* A pattern of the options that take a value, for the loop that looks for
 * the command to be run. */
static void
bash_valued(void)
{
	bool first = true;
	for (int id = 0; id < OPTION_COUNT; id++) {
		const struct option_info *info = &option_infos[id];
		if (!takes_argument(info))
			continue;
		printf("%s--%s", first ? "" : "|", info->name);
		if (info->letter != 0)
			printf("|-%c", info->letter);
		first = false;
	}
}

static void
bash_options(const struct command *command)
{
	printf("\t%s) options='", command->name);
	for (int id = 0; id < OPTION_COUNT; id++) {
		const struct option_info *info = &option_infos[id];
		if (!option_applies((enum option_id)id, command->name))
			continue;
		printf("--%s%s ", info->name, takes_argument(info) ? "=" : "");
		if (info->letter != 0)
			printf("-%c ", info->letter);
	}
	printf("' ;;\n");
}

static void
bash_option_cases(void)
{
	for (int id = 0; id < OPTION_COUNT; id++) {
		const struct option_info *info = &option_infos[id];
		if (!takes_argument(info))
			continue;
		const char *list =
		    info->command[0] != '\0' ? info->command : "*";
		char owner[COMMAND_NAME_MAX];
		printf("\t");
		for (bool first = true; option_next_command(&list, owner);
		     first = false) {
			printf("%s%s:--%s", first ? "" : "|", owner,
			    info->name);
			if (info->letter != 0)
				printf("|%s:-%c", owner, info->letter);
		}
		printf(") ");
		bash_values(info);
		printf("; return ;;\n");
	}
}

static void
print_bash(void)
{
	printf("# bash completion of quire; made by: quire completion bash\n"
	       "# The columns of a view, the last of a list.\n"
	       "_quire_columns()\n{\n"
	       "\tlocal list=${word%%\"${word##*[,+-]}\"}\n"
	       "\tCOMPREPLY=($(compgen -P \"$list\" -W \"$(quire "
	       "\"$command\" -o help -H --raw 2>/dev/null | "
	       "cut -d ' ' -f 1) help\" -- \"${word##*[,+-]}\"))\n"
	       "}\n"
	       "_quire()\n{\n"
	       "\tlocal word=${COMP_WORDS[COMP_CWORD]}\n"
	       "\tlocal before=${COMP_WORDS[COMP_CWORD-1]}\n"
	       "\tlocal command=${COMP_WORDS[1]} options= i\n"
	       "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W '");
	print_commands();
	printf(" --help --version' -- \"$word\"))\n"
	       "\t\treturn\n\tfi\n"
	       "\t# bash makes words of their own of = signs\n"
	       "\tif [ \"$word\" = = ]; then\n"
	       "\t\tword=\n"
	       "\telif [ \"$before\" = = ]; then\n"
	       "\t\tbefore=${COMP_WORDS[COMP_CWORD-2]}\n"
	       "\tfi\n"
	       "\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
	       "\t\tcase \"${COMP_WORDS[i]}\" in\n"
	       "\t\t--) _command_offset $((i + 1)); return ;;\n\t\t");
	bash_valued();
	printf(") i=$((i + 1))\n"
	       "\t\t\t[ \"${COMP_WORDS[i]}\" = = ] && i=$((i + 1)) ;;\n"
	       "\t\t-*) ;;\n"
	       "\t\t*) [ \"$command\" = run ] && "
	       "_command_offset \"$i\" && return ;;\n"
	       "\t\tesac\n"
	       "\tdone\n"
	       "\tcase \"$command:$before\" in\n");
	bash_option_cases();
	printf("\tcompletion:*) COMPREPLY=($(compgen -W 'bash zsh fish' "
	       "-- \"$word\")); return ;;\n"
	       "\thelp:*) COMPREPLY=($(compgen -W '");
	print_commands();
	printf(" options' -- \"$word\")); return ;;\n"
	       "\tesac\n"
	       "\tcase \"$command\" in\n");
	for (const struct command *command = commands; command->name != NULL;
	     command++)
		bash_options(command);
	printf("\tesac\n"
	       "\tif [ \"$command\" = run ] && [ \"${word#-}\" = \"$word\" ]; "
	       "then\n"
	       "\t\tCOMPREPLY=($(compgen -c -- \"$word\"))\n"
	       "\t\treturn\n"
	       "\tfi\n"
	       "\tCOMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
	       "\t[ \"${COMPREPLY[0]%%=}\" != \"${COMPREPLY[0]}\" ] && "
	       "compopt -o nospace\n"
	       "}\n"
	       "complete -F _quire quire\n");
}

/* --- zsh --- */

/* Text between single quotes inside a zsh specification. */
static void
zsh_text(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			printf("'\\'");
		else if (*text == ':' || *text == '[' || *text == ']')
			putchar('\\');
		putchar(*text);
	}
}

static void
zsh_value(const struct option_info *info)
{
	switch (info->kind) {
	case OPTION_KIND_FLAG:
	case OPTION_KIND_PERIOD:
		return;
	case OPTION_KIND_COLUMNS:
		printf(":columns:_quire_columns");
		return;
	case OPTION_KIND_CHOICE:
		printf(":word:(");
		print_names(info->operand, ' ');
		printf(")");
		return;
	case OPTION_KIND_DIRECTORY:
		printf(":directory:_directories");
		return;
	case OPTION_KIND_FILE:
		printf(":file:_files");
		return;
	case OPTION_KIND_SIZE:
	case OPTION_KIND_BUDGET:
	case OPTION_KIND_NUMBER:
	case OPTION_KIND_SECONDS:
	case OPTION_KIND_TEXT:
		printf(":%s: ", info->operand);
		return;
	}
}

static void
zsh_option(const struct option_info *info)
{
	bool flag = !takes_argument(info);
	printf("\t\t\t");
	if (info->letter != 0)
		printf("'(-%c --%s)'{-%c%s,--%s%s}'[", info->letter, info->name,
		    info->letter, flag ? "" : "+", info->name, flag ? "" : "=");
	else
		printf("'--%s%s[", info->name, flag ? "" : "=");
	zsh_text(info->help);
	printf("]");
	zsh_value(info);
	printf("' \\\n");
}

static void
zsh_command(const struct command *command)
{
	printf("\t%s)\n\t\t_arguments -S \\\n", command->name);
	for (int id = 0; id < OPTION_COUNT; id++)
		if (option_applies((enum option_id)id, command->name))
			zsh_option(&option_infos[id]);
	if (takes_command(command))
		printf("\t\t\t'*::command:_normal' ;;\n");
	else if (command->main == completion_main)
		printf("\t\t\t'1:shell:(bash zsh fish)' ;;\n");
	else if (command->main == help_main) {
		printf("\t\t\t'1:command:(");
		print_commands();
		printf(" options)' ;;\n");
	} else
		printf("\t\t\t&& return ;;\n");
}

static void
print_zsh(void)
{
	printf("#compdef quire\n"
	       "# zsh completion of quire; made by: quire completion zsh\n"
	       "_quire_columns() {\n"
	       "\t_values -s , column ${(f)\"$(quire $words[1] -o help -H "
	       "--raw 2>/dev/null | cut -d ' ' -f 1)\"} help\n"
	       "}\n"
	       "_quire() {\n"
	       "\tlocal -a commands=(\n");
	for (const struct command *command = commands; command->name != NULL;
	     command++) {
		printf("\t\t'%s:", command->name);
		zsh_text(command->summary);
		printf("'\n");
	}
	printf("\t)\n"
	       "\tif (( CURRENT == 2 )); then\n"
	       "\t\t_describe command commands\n"
	       "\t\treturn\n"
	       "\tfi\n"
	       "\tshift words\n"
	       "\t(( CURRENT-- ))\n"
	       "\tcase $words[1] in\n");
	for (const struct command *command = commands; command->name != NULL;
	     command++)
		zsh_command(command);
	printf("\tesac\n}\n_quire \"$@\"\n");
}

/* --- fish --- */

static void
fish_text(const char *text)
{
	putchar('\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void
fish_value(const struct option_info *info)
{
	switch (info->kind) {
	case OPTION_KIND_FLAG:
	case OPTION_KIND_PERIOD:
		return;
	case OPTION_KIND_COLUMNS:
		printf(" -x -a '(__quire_columns)'");
		return;
	case OPTION_KIND_CHOICE:
		printf(" -x -a '");
		print_names(info->operand, ' ');
		printf("'");
		return;
	case OPTION_KIND_DIRECTORY:
		printf(" -x -a '(__fish_complete_directories) off'");
		return;
	case OPTION_KIND_FILE:
		printf(" -r -F");
		return;
	case OPTION_KIND_SIZE:
	case OPTION_KIND_BUDGET:
	case OPTION_KIND_NUMBER:
	case OPTION_KIND_SECONDS:
	case OPTION_KIND_TEXT:
		printf(" -x");
		return;
	}
}

static void
fish_option(const struct option_info *info)
{
	printf("complete -c quire");
	if (info->command[0] != '\0') {
		printf(" -n '__fish_seen_subcommand_from ");
		print_names(info->command, ' ');
		printf("'");
	}
	printf(" -l %s", info->name);
	if (info->letter != 0)
		printf(" -s %c", info->letter);
	fish_value(info);
	printf(" -d ");
	fish_text(info->help);
	putchar('\n');
}

static void
print_fish(void)
{
	printf("# fish completion of quire; made by: quire completion fish\n"
	       "function __quire_columns\n"
	       "\tset -l words (commandline -opc)\n"
	       "\tquire $words[2] -o help -H --raw 2>/dev/null | "
	       "cut -d ' ' -f 1\n"
	       "\techo help\n"
	       "end\n"
	       "complete -c quire -f\n");
	for (const struct command *command = commands; command->name != NULL;
	     command++) {
		printf("complete -c quire -n __fish_use_subcommand -a %s -d ",
		    command->name);
		fish_text(command->summary);
		putchar('\n');
		if (takes_command(command))
			printf("complete -c quire -n "
			       "'__fish_seen_subcommand_from %s' "
			       "-a '(__fish_complete_subcommand)'\n",
			    command->name);
	}
	printf("complete -c quire -n '__fish_seen_subcommand_from completion' "
	       "-a 'bash zsh fish'\n"
	       "complete -c quire -n '__fish_seen_subcommand_from help' -a '");
	print_commands();
	printf(" options'\n");
	for (int id = 0; id < OPTION_COUNT; id++)
		fish_option(&option_infos[id]);
}

int
completion_main(const struct options *options)
{
	const struct command *self = command_find("completion");
	const char *shell = options->operands[0];

	if (shell == NULL || options->operands[1] != NULL)
		return command_misused(self, "one shell is wanted");
	if (strcmp(shell, "bash") == 0)
		print_bash();
	else if (strcmp(shell, "zsh") == 0)
		print_zsh();
	else if (strcmp(shell, "fish") == 0)
		print_fish();
	else
		return command_misused(self, "that shell is not known");
	return EXIT_OK;
}
