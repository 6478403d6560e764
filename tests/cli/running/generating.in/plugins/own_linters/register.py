from pants.backend.adhoc.code_quality_tool import CodeQualityToolRuleBuilder


def rules():
    tabs = CodeQualityToolRuleBuilder(goal="lint", target="src/linting:tabs", name="tabs", scope="tabs")
    upper = CodeQualityToolRuleBuilder(goal="fmt", target="src/linting:upper", name="Upper case", scope="upper")
    return [*tabs.rules(), *upper.rules()]
