/** The components of Element Plus that the console uses, each with its style, and no others. */
import {
  ElButton,
  ElCheckbox,
  ElCheckboxGroup,
  ElConfigProvider,
  ElDatePicker,
  ElDialog,
  ElForm,
  ElFormItem,
  ElInput,
  ElInputNumber,
  ElOption,
  ElProgress,
  ElRadioButton,
  ElRadioGroup,
  ElSelect,
  ElSwitch,
  ElTabPane,
  ElTabs,
  ElTree,
} from 'element-plus';
import 'element-plus/theme-chalk/base.css';
import 'element-plus/theme-chalk/el-button.css';
import 'element-plus/theme-chalk/el-checkbox.css';
import 'element-plus/theme-chalk/el-checkbox-group.css';
import 'element-plus/theme-chalk/el-date-picker.css';
import 'element-plus/theme-chalk/el-date-picker-panel.css';
import 'element-plus/theme-chalk/el-dialog.css';
import 'element-plus/theme-chalk/el-form.css';
import 'element-plus/theme-chalk/el-form-item.css';
import 'element-plus/theme-chalk/el-icon.css';
import 'element-plus/theme-chalk/el-input.css';
import 'element-plus/theme-chalk/el-input-number.css';
import 'element-plus/theme-chalk/el-message.css';
import 'element-plus/theme-chalk/el-message-box.css';
import 'element-plus/theme-chalk/el-option.css';
import 'element-plus/theme-chalk/el-overlay.css';
import 'element-plus/theme-chalk/el-popper.css';
import 'element-plus/theme-chalk/el-progress.css';
import 'element-plus/theme-chalk/el-radio-button.css';
import 'element-plus/theme-chalk/el-radio-group.css';
import 'element-plus/theme-chalk/el-scrollbar.css';
import 'element-plus/theme-chalk/el-select.css';
import 'element-plus/theme-chalk/el-select-dropdown.css';
import 'element-plus/theme-chalk/el-switch.css';
import 'element-plus/theme-chalk/el-tab-pane.css';
import 'element-plus/theme-chalk/el-tabs.css';
import 'element-plus/theme-chalk/el-tag.css';
import 'element-plus/theme-chalk/el-tree.css';
import type { App, DefineComponent } from 'vue';

const components = {
  ElButton,
  ElCheckbox,
  ElCheckboxGroup,
  ElConfigProvider,
  ElDatePicker,
  ElDialog,
  ElForm,
  ElFormItem,
  ElInput,
  ElInputNumber,
  ElOption,
  ElProgress,
  ElRadioButton,
  ElRadioGroup,
  ElSelect,
  ElSwitch,
  ElTabPane,
  ElTabs,
  ElTree,
};

/* Where Element Plus declares the props by their runtime checks, which says nothing to a template, the
 * props that we use stand here. */
declare module 'vue' {
  export interface GlobalComponents {
    ElButton: typeof ElButton;
    ElCheckbox: typeof ElCheckbox;
    ElCheckboxGroup: typeof ElCheckboxGroup;
    ElConfigProvider: DefineComponent<{ locale: object }>;
    ElDatePicker: typeof ElDatePicker;
    ElDialog: typeof ElDialog;
    ElForm: typeof ElForm;
    ElFormItem: typeof ElFormItem;
    ElInput: typeof ElInput;
    ElInputNumber: typeof ElInputNumber;
    ElOption: DefineComponent<{ value: string | number; label?: string; disabled?: boolean }>;
    ElProgress: typeof ElProgress;
    ElRadioButton: typeof ElRadioButton;
    ElRadioGroup: typeof ElRadioGroup;
    ElSelect: DefineComponent<{
      modelValue: string | number | string[];
      multiple?: boolean;
      filterable?: boolean;
      clearable?: boolean;
      disabled?: boolean;
      placeholder?: string;
    }>;
    ElSwitch: typeof ElSwitch;
    ElTabPane: DefineComponent<{ name: string; label: string }>;
    ElTabs: DefineComponent<{ modelValue: string }>;
    ElTree: typeof ElTree;
  }
}

export function useElements(app: App): void {
  for (const [name, component] of Object.entries(components)) app.component(name, component);
}
