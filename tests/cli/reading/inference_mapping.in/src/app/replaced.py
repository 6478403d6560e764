import ruamel.yaml
import other_yaml
